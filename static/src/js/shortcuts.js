// Single-key shortcuts of the page. They never fire while something that takes text has the focus, so the terminal and
// every field keep their keys; and whoever presses keys by chance, by speech for instance, switches them off in their list.
import { recall, remember } from "./remember.js";

const TAKES_TEXT = "input, textarea, select, [contenteditable], .xterm, dialog[open]";

function moveStep(by) {
  const steps = [...document.querySelectorAll("[data-step]")];
  const at = steps.findLastIndex((step) => step.getBoundingClientRect().top < 120);
  const step = steps[Math.max(0, Math.min(steps.length - 1, at + by))];
  if (!step) return;
  step.tabIndex = -1;
  step.scrollIntoView();
  step.focus({ preventScroll: true });
}

export function startShortcuts(dialog) {
  const actions = {
    "?": () => dialog.showModal(),
    n: () => moveStep(1),
    p: () => moveStep(-1),
    t: () => document.dispatchEvent(new CustomEvent("bulkhead:focus-terminal")),
  };
  const areOn = dialog.querySelector("[data-single-keys]");
  areOn.checked = recall("single-keys", "on") === "on";
  areOn.addEventListener("change", () => remember("single-keys", areOn.checked ? "on" : "off"));
  document.addEventListener("keydown", (event) => {
    if (!areOn.checked || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TAKES_TEXT)) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-open-dialog=shortcuts]")) dialog.showModal();
  });
}
