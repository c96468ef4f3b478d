// The session as far as the panel has seen it: what appeared when, beside the commands typed, and a way back to each moment.
import { clockTime, html, svg } from "./draw.js";
import { newsBetween } from "./document.js";

const MAX_LINES = 200;

export class Timeline {
  constructor(root, onMoment) {
    this.words = root.dataset;
    this.strip = root.querySelector("svg");
    this.range = root.querySelector("input[type=range]");
    this.list = root.querySelector("[data-events]");
    this.label = root.querySelector("[data-moment]");
    this.now = root.querySelector("[data-back]");
    this.onMoment = onMoment;
    this.commands = [];
    this.events = [];
    this.range.addEventListener("input", () => this.go(Number(this.range.value)));
    this.now.addEventListener("click", () => this.go(null));
    document.addEventListener("bulkhead:command", ({ detail }) => { this.commands.push({ at: Date.now(), kind: "command", what: detail.text }); });
    this.list.addEventListener("click", ({ target }) => { const button = target.closest("button"); if (button) this.go(this.indexAt(Number(button.dataset.at))); });
  }

  get isPast() { return this.moment !== undefined && this.moment !== null; }

  indexAt(at) { return Math.max(0, this.history.findLastIndex((one) => one.at <= at)); }

  go(index) {
    this.moment = index === null || index >= this.history.length - 1 ? null : index;
    this.onMoment();
    this.tell();
  }

  // The document to show: the chosen moment's, or the newest.
  current(history) { return this.isPast ? history[Math.min(this.moment, history.length - 1)] : history.at(-1); }

  show(history, machine) {
    this.history = history;
    if (history.length < this.read) this.events.length = this.read = 0;
    for (let at = this.read || 1; at < history.length; at += 1) {
      const news = newsBetween(history[at - 1].facts.machines?.[machine] ?? {}, history[at].facts.machines?.[machine] ?? {});
      this.events.push(...news.map((one) => ({ at: history[at].at, ...one })));
    }
    this.read = history.length;
    this.events.splice(0, this.events.length - MAX_LINES * 2);
    this.range.max = history.length - 1;
    if (!this.isPast) this.range.value = history.length - 1;
    this.draw();
    this.tell();
  }

  tell() {
    const one = this.history[this.isPast ? this.moment : this.history.length - 1];
    const seconds = Math.round((Date.now() - one.at) / 1000);
    const text = this.isPast ? this.words.past.replace("%t", clockTime(one.at)).replace("%s", seconds) : this.words.now;
    if (this.label.textContent !== text) this.label.textContent = text;
    this.range.setAttribute("aria-valuetext", text);
    this.now.hidden = !this.isPast;
  }

  draw() {
    const first = this.history[0].at;
    const span = Math.max(1, this.history.at(-1).at - first);
    const place = (at) => 4 + ((at - first) / span) * 592;
    const all = [...this.events, ...this.commands.filter(({ at }) => at >= first)].sort((a, b) => a.at - b.at).slice(-MAX_LINES);
    this.strip.replaceChildren(...all.map((one) => svg("rect", { class: `tick ${one.kind} ${one.type ? `ns-${one.type}` : ""}`, x: place(one.at), width: 2,
      y: one.kind === "command" ? 0 : 12, height: one.kind === "command" ? 26 : 14 })));
    const key = `${all.length}:${all.at(-1)?.at}`;
    if (this.drawn === key) return;
    this.drawn = key;
    this.list.replaceChildren(...all.reverse().map((one) => html("li", { class: one.type ? `ns-${one.type}` : undefined },
      html("button", { type: "button", "data-at": one.at }, clockTime(one.at)), " ",
      one.kind === "command" ? html("code", {}, one.what) : (this.words[one.kind.replace(/-(\w)/, (_, letter) => letter.toUpperCase())] ?? one.kind).replace("%s", one.what))));
  }
}
