// The session since its beginning: what appeared when, beside the commands typed, and a way back to each moment. What the
// worker kept while nobody looked is coarse, and is drawn as that.
import { bytes, clockTime, html, svg } from "./draw.js";

const MAX_LINES = 200;
const GAP_MS = 5000;
const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity };

export class Timeline {
  constructor(root, onMoment) {
    this.words = root.dataset;
    this.strip = root.querySelector("svg");
    this.range = root.querySelector("input[type=range]");
    this.list = root.querySelector("[data-events]");
    this.label = root.querySelector("[data-moment]");
    this.coarse = root.querySelector("[data-coarse]");
    this.now = root.querySelector("[data-back]");
    this.onMoment = onMoment;
    this.moment = null;
    this.range.addEventListener("input", () => this.go(Number(this.range.value)));
    this.range.addEventListener("keydown", (event) => this.step(event));
    this.now.addEventListener("click", () => this.go(null));
    this.list.addEventListener("click", ({ target }) => { const button = target.closest("button"); if (button) this.go(this.pictureOf(button.dataset)); });
  }

  get isPast() { return this.moment !== null; }

  // A key goes from picture to picture, however far apart they are.
  step(event) {
    const by = STEPS[event.key];
    if (!by) return;
    event.preventDefault();
    const at = Math.max(0, Math.min(this.history.length - 1, this.history.indexOf(this.current(this.history)) + by));
    this.go(this.history[at].at);
  }

  // News is in the picture of its own moment; a command is shown before it did anything.
  pictureOf({ at, kind }) {
    if (kind === "command") return Number(at);
    return this.history.reduce((best, one) => (Math.abs(one.at - at) < Math.abs(best.at - at) ? one : best)).at;
  }

  go(at) {
    this.moment = at === null || at >= this.history.at(-1).at ? null : at;
    this.range.value = this.moment ?? this.range.max;
    this.onMoment();
    this.tell();
  }

  // The document to show: the chosen moment's, or the newest.
  current(history) { return (this.isPast && history.findLast((one) => one.at <= this.moment)) || (this.isPast ? history[0] : history.at(-1)); }

  show(history, events) {
    this.history = history;
    const last = history.at(-1).at;
    if (this.range.min !== String(history[0].at)) this.range.min = history[0].at;
    this.range.max = last;
    if (!this.isPast) this.range.value = last;
    this.draw(events);
    this.tell();
  }

  tell() {
    const one = this.current(this.history);
    const next = this.history[this.history.indexOf(one) + 1];
    const isGap = this.isPast && next && next.at - one.at > GAP_MS;
    const text = this.isPast ? this.words.past.replace("%t", clockTime(one.at)).replace("%s", ago(Date.now() - one.at)) : this.words.now;
    const whole = isGap ? `${text} · ${this.words.next.replace("%t", clockTime(next.at))}` : text;
    if (this.label.textContent !== whole) this.label.textContent = whole;
    this.range.setAttribute("aria-valuetext", whole);
    this.now.hidden = !this.isPast;
  }

  draw(events) {
    const first = this.history[0].at;
    const span = Math.max(1, this.history.at(-1).at - first);
    const place = (at) => 4 + (Math.max(0, at - first) / span) * 592;
    const gaps = this.history.flatMap((one, index) => {
      const next = this.history[index + 1];
      return next && next.at - one.at > GAP_MS ? [svg("rect", { class: "gap", x: place(one.at), y: 0, height: 26, width: place(next.at) - place(one.at) })] : [];
    });
    const shown = events.slice(-MAX_LINES);
    this.strip.replaceChildren(...gaps, ...shown.map((one) => svg("rect", { class: `tick ${one.kind} ${one.type ? `ns-${one.type}` : ""}`, x: place(one.at), width: 2,
      y: one.kind === "command" ? 0 : 12, height: one.kind === "command" ? 26 : 14 })));
    this.coarse.hidden = !gaps.length;
    const key = JSON.stringify(shown.map(({ what, status, seconds }) => [what, status, seconds]));
    if (this.drawn === key) return;
    this.drawn = key;
    this.list.replaceChildren(...shown.reverse().map((one) => html("li", { class: one.type ? `ns-${one.type}` : undefined },
      html("button", { type: "button", "data-at": one.at, "data-kind": one.kind }, clockTime(one.at)), " ", ...this.line(one))));
    if (!shown.length) this.list.append(html("li", { class: "soft" }, this.words.nothing));
  }

  line(one) {
    if (one.kind !== "command") {
      const words = this.words[one.kind.replace(/-(\w)/, (_, letter) => letter.toUpperCase())] ?? one.kind;
      return [words.replace("%s", one.what).replace("%l", one.kind === "limit-memory" ? bytes(one.limit) : one.became ?? one.limit ?? "–")];
    }
    const how = one.status === undefined ? this.words.runs : this.words.status.replace("%c", one.status).replace("%s", one.seconds);
    return [html("code", {}, one.what), " ", html("span", { class: one.status ? "failed" : "soft" }, how)];
  }
}

function ago(ms) {
  const seconds = Math.round(ms / 1000);
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
