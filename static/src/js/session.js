// What the panel says before and after the terminal: queue, stages, failure, end. A change of state is
// fetched from the server as the page it would render; only stages and position are moved here.
import { replacePart } from "./enhance.js";
import { pageOf } from "./sending.js";

const POLL_MS = 5000;
const SLOW_SECONDS = 2;

export class Session {
  constructor(onPage) {
    this.onPage = onPage;
    this.since = performance.now();
    this.stand = this.part.dataset.stand;
    setInterval(() => this.sayIfSlow(), 500);
    setInterval(() => { if (this.isMoving) this.refresh(); }, POLL_MS);
  }

  get part() { return document.getElementById("session-state"); }
  get state() { return this.part.dataset.state; }
  get isMoving() { return ["queued", "starting", "ending"].includes(this.state); }

  listen(notices) {
    notices.addEventListener("state", ({ detail }) => { if (detail.stand !== this.stand) this.refresh(); });
    notices.addEventListener("stage", ({ detail }) => this.mark(detail));
  }

  async refresh() {
    const address = this.isMoving ? `${location.pathname}?part=sandbox` : location.href;
    const response = await fetch(address, { headers: { "X-Requested-With": "fetch" } }).catch(() => null);
    if (response?.ok) this.take(await pageOf(response));
  }

  take(page) {
    this.stand = page.querySelector("#session-state")?.dataset.stand ?? this.stand;
    for (const selector of ["#session-reach", "#session-state", "#session-tools"]) {
      const [ours, theirs] = [document, page].map((one) => one.querySelector(selector));
      if (theirs && theirs.dataset.version !== ours.dataset.version) replacePart(selector, theirs);
    }
    this.onPage(page);
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
    const now = this.part.querySelector('[data-at="now"] [data-stage-label]');
    const seconds = Math.floor((performance.now() - this.since) / 1000);
    if (!slow || !now) return;
    slow.textContent = seconds < SLOW_SECONDS ? "" : slow.dataset.words.replace("%n", seconds).replace("%s", now.textContent);
  }
}
