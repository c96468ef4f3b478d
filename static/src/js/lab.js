// The lab page: wires the panel, the terminals and the lesson's live parts together.
import { startClock } from "./clock.js";
import { replacePart } from "./enhance.js";
import { Notices } from "./notices.js";
import { startPaneTabs } from "./pane-tabs.js";
import { startPreviews } from "./previews.js";
import { startRunBlocks } from "./run-blocks.js";
import { Session } from "./session.js";
import { startSplitter } from "./splitter.js";
import { startTasks } from "./tasks.js";
import { startKeyBar } from "./terminal/keybar.js";
import { fitThePolicy } from "./terminal/policy.js";
import { TerminalTabs } from "./terminal/tabs.js";
import { startToolbar } from "./terminal/toolbar.js";
import { startXrayTab } from "./xray-tab.js";

const NO_SANDBOX = ["ended", "failed", "none"];
const STARTING = ["queued", "starting"];
const FIRST_RUN = ".0";

fitThePolicy();
const bench = document.querySelector("[data-bench]");
const panes = document.querySelector("[data-panes]");
const announcer = bench.querySelector("[data-announce]");
const announce = (text) => { announcer.textContent = text; };
const showPane = startPaneTabs(panes);
const tabs = new TerminalTabs(bench);
const tasks = startTasks(tabs.words, announce);
const session = new Session(showPage);
let notices = null;
let before = "";
let isUp = null; // is the terminal shown?
let arrived = null; // the run whose first shell has answered, which it may before anybody has said that the sandbox is ready
let run = null; // the run whose terminals are open: a restart keeps the session's id and begins another

function showPage(page = document) {
  const part = document.getElementById("session-state");
  const { session: id, generation, state } = part.dataset;
  if (id !== bench.dataset.session || !notices) connect(part.dataset);
  if (run !== generation) tabs.clear();
  run = generation;
  if (NO_SANDBOX.includes(state)) tabs.clear();
  const isReady = state === "ready" || (STARTING.includes(state) && arrived === run);
  part.hidden = isReady;
  part.classList.toggle("stand", !isReady);
  for (const element of bench.querySelectorAll("[data-term-bar], [data-key-bar]")) element.hidden = !isReady;
  document.querySelector("[data-about-terminal]").textContent = isReady ? "" : part.querySelector("h2")?.dataset.short ?? "";
  const isNews = before && before !== state;
  const hasComeUp = isUp === false && isReady;
  [before, isUp] = [state, isReady];
  showHome(isReady, STARTING.includes(state) && run.endsWith(FIRST_RUN));
  if (isReady) showTerminals([...page.querySelectorAll("[data-terminal]")].map(({ dataset }) => dataset));
  if (page !== document) {
    tasks.takePage(page);
    takeStepTools(page);
  }
  if (isNews) announce(part.querySelector("h2")?.textContent ?? "");
  // Whoever waited for the shell may type at once; whoever reads or writes elsewhere is left there.
  if (hasComeUp && (document.activeElement === document.body || bench.contains(document.activeElement))) tabs.current?.view.xterm.focus();
}

// A terminal that comes ahead of its shell has its place and its size before it is seen. Only in the first run of a session:
// of a later one the bridge may still know the shell of the run before.
function showHome(isReady, isAhead) {
  const home = bench.querySelector("[data-terminals]");
  home.hidden = !isReady && !isAhead;
  home.classList.toggle("ahead", !isReady && isAhead);
  if (!isReady && isAhead) tabs.expect();
}

// What can be started over changes with every step that is passed, and with the state of the sandbox.
function takeStepTools(page) {
  for (const { id, dataset } of document.querySelectorAll("[data-step-tools]")) {
    const theirs = page.getElementById(id);
    if (theirs && theirs.dataset.version !== dataset.version) replacePart(`[id="${CSS.escape(id)}"]`, theirs);
  }
}

function showTerminals(known) {
  for (const { terminal, title, machine, termState } of known) tabs.take({ number: Number(terminal), title, machine, state: termState });
  if (tabs.open.size) return;
  if (known.length) tabs.ask(); // all have been closed
  else tabs.take({ number: 0, state: "open" }); // the word about the first one is still on its way
}

function connect({ session: id, url, terminalsUrl }) {
  notices?.close();
  notices = null;
  Object.assign(bench.dataset, id ? { session: id, url, terminalsUrl } : {});
  if (!id) return;
  notices = new Notices(id);
  session.listen(notices);
  notices.addEventListener("task", ({ detail }) => {
    tasks.take(detail);
    if (detail.state === "broken") session.refresh(); // the page offers a way out
  });
  notices.addEventListener("points", () => session.refresh());
  notices.addEventListener("terminal", ({ detail }) => { if (session.state === "ready") tabs.take(detail); });
  document.dispatchEvent(new CustomEvent("bulkhead:session", { detail: { id, notices } }));
}

startSplitter(document.querySelector("[data-splitter]"), panes);
startToolbar(bench, tabs);
startPreviews(bench, tabs);
startKeyBar(bench.querySelector("[data-key-bar]"), tabs);
startRunBlocks(tabs, (view) => {
  showPane("terminal");
  if (view?.isReady) return view.xterm.focus();
  const start = document.querySelector("[data-start]");
  if (start) start.click(); // a click on Run asks for a sandbox to run in
  else document.querySelector("#session-state:not([hidden]) .button.primary")?.focus();
});
startXrayTab(bench, panes, showPane);
tabs.addEventListener("status", ({ detail }) => {
  if (detail.is !== "ready" || isUp) return;
  arrived = run;
  showPage();
});
startClock(bench.querySelector("[data-time]"), announce);
showPage();

document.addEventListener("bulkhead:answered", ({ detail }) => session.take(detail.page));
document.addEventListener("bulkhead:focus-terminal", () => {
  showPane("terminal");
  (tabs.current?.view.xterm ?? bench).focus();
});
document.addEventListener("bulkhead:leave-terminal", () => {
  showPane("lesson");
  document.getElementById("lesson").focus();
});
