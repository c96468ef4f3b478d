// The lab page: wires the panel, the terminals and the lesson's live parts together.
import { startClock } from "./clock.js";
import { Notices } from "./notices.js";
import { startPaneTabs } from "./pane-tabs.js";
import { startRunBlocks } from "./run-blocks.js";
import { Session } from "./session.js";
import { startSplitter } from "./splitter.js";
import { startTasks } from "./tasks.js";
import { startKeyBar } from "./terminal/keybar.js";
import { giveStylesTheNonce } from "./terminal/nonce.js";
import { TerminalTabs } from "./terminal/tabs.js";
import { startToolbar } from "./terminal/toolbar.js";

giveStylesTheNonce();
const bench = document.querySelector("[data-bench]");
const panes = document.querySelector("[data-panes]");
const announcer = bench.querySelector("[data-announce]");
const announce = (text) => { announcer.textContent = text; };
const show = startPaneTabs(panes);
const tabs = new TerminalTabs(bench);

function showState(state) {
  const isReady = state === "ready";
  const part = document.getElementById("session-state");
  part.hidden = isReady;
  part.classList.toggle("stand", !isReady);
  for (const element of bench.querySelectorAll("[data-term-bar], [data-terminals], [data-key-bar]")) element.hidden = !isReady;
  const heading = part.querySelector("h2");
  document.querySelector("[data-about-terminal]").textContent = isReady ? "" : heading?.textContent ?? "";
  if (!isReady) return;
  const known = [...bench.querySelectorAll("[data-terminal]")].filter((one) => one.dataset.termState !== "closed");
  if (!tabs.open.size && !known.length) tabs.add({ number: 0 });
  for (const { dataset } of known) tabs.add({ number: Number(dataset.terminal), title: dataset.title, machine: dataset.machine });
}

startSplitter(document.querySelector("[data-splitter]"), panes);
startToolbar(bench, tabs);
startKeyBar(bench.querySelector("[data-key-bar]"), tabs);
startRunBlocks(tabs, () => show("terminal"));
startClock(announce);
showState(document.getElementById("session-state").dataset.state);

if (bench.dataset.session) {
  const session = new Session(bench, showState);
  const notices = new Notices(bench.dataset.session);
  session.listen(notices);
  startTasks(notices, tabs.words, announce);
  notices.addEventListener("terminal", ({ detail }) => { if (detail.state === "open" && session.state === "ready") tabs.add(detail); });
}

document.addEventListener("bulkhead:focus-terminal", () => {
  show("terminal");
  (tabs.current?.view.xterm ?? bench).focus();
});
document.addEventListener("bulkhead:leave-terminal", () => {
  show("lesson");
  document.getElementById("lesson").focus();
});
