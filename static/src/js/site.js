// Every page: theme, forms, shortcuts, copy buttons. The terminal has its own bundle, lab.js.
import { startCopyButtons } from "./copy-code.js";
import { startForms } from "./enhance.js";
import { startReadingMarks } from "./reading.js";
import { startShortcuts } from "./shortcuts.js";
import { startTermCards } from "./term-cards.js";
import { startThemeSwitch } from "./theme.js";

document.querySelectorAll("[data-theme-switch]").forEach(startThemeSwitch);
startForms();
startShortcuts(document.getElementById("shortcuts"));
startCopyButtons();
startReadingMarks();
startTermCards();
