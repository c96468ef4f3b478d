// What the panel says before and after the terminal: queue, stages, failure, end. A change of state is
// fetched from the server as the page it would render; only stages and position are moved here.
import { pickFrom, replacePart } from "./enhance.js";

const POLL_MS = 5000;
const SLOW_MS = 2000;

export class Session {
  constructor(bench, onState) {
    this.bench = bench;
    this.onState = onState;
    this.since = performance.now();
    setInterval(() => this.sayIfSlow(), 500);
    setInterval(() => { if (this.isMoving) this.refresh(); }, POLL_MS);
  }

  get part() { return document.getElementById("session-state"); }
  get state() { return this.part.dataset.state; }
  get isMoving() { return ["queued", "starting", "ending"].includes(this.state); }

  listen(notices) {
    notices.addEventListener("connected", () => this.refresh());
    notices.addEventListener("state", ({ detail }) => { if (detail.state !== this.state || detail.expires_at) this.refresh(); });
    notices.addEventListener("stage", ({ detail }) => this.mark(detail));
  }

  async refresh() {
    const response = await fetch(location.href, { headers: { "X-Requested-With": "fetch" } }).catch(() => null);
    if (!response?.ok) return;
    const copy = response.clone();
    const part = await pickFrom(response, "#session-state");
    if (part && part.dataset.state !== this.state) replacePart("#session-state", part);
    replacePart("#session-tools", await pickFrom(copy, "#session-tools"));
    this.onState(this.state);
  }

  mark({ stage, position }) {
    const place = this.part.querySelector("[data-position]");
    if (place && position) {
      place.textContent = position;
      place.closest("[data-position-line]").hidden = false;
    }
    const stages = [...this.part.querySelectorAll("[data-stage]")];
    const at = stages.findIndex((one) => one.dataset.stage === stage);
    if (at < 0) return;
    this.since = performance.now();
    stages.forEach((one, index) => {
      one.dataset.at = index < at ? "done" : index === at ? "now" : "next";
      const word = one.querySelector("[data-word]");
      word.textContent = word.dataset[one.dataset.at] ?? "";
    });
  }

  sayIfSlow() {
    const slow = this.part.querySelector("[data-slow]");
    const now = this.part.querySelector('[data-at="now"]');
    if (!slow || !now) return;
    slow.hidden = performance.now() - this.since < SLOW_MS;
    slow.querySelector("[data-slow-for]").textContent = now.textContent.replace(now.querySelector("[data-word]").textContent, "").trim();
  }
}
