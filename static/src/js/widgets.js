// Things to play with in a lesson. Their tables stand in the page already; scripts make them move.
import { startCalculator } from "./widgets/calculator.js";
import { startScheduler } from "./widgets/scheduler.js";

const starts = { calculator: startCalculator, scheduler: startScheduler };
for (const widget of document.querySelectorAll("[data-widget]")) starts[widget.dataset.widget]?.(widget);
