// The X-ray panel: one feed, six views of its document, and the time line under them.
import { clockTime } from "./draw.js";
import { feedOf } from "./feed.js";
import { Layers } from "./layers.js";
import { startLimits } from "./limits.js";
import { Namespaces } from "./namespaces.js";
import { Network } from "./network.js";
import { Processes } from "./processes.js";
import { Resources } from "./resources.js";
import { Timeline } from "./timeline.js";

const SILENT_MS = 12000; // the worker says at least every five seconds that it looked
const CHECK_MS = 2000;
const VIEWS = { processes: Processes, namespaces: Namespaces, resources: Resources, layers: Layers, network: Network };

export class Panel {
  constructor(root) {
    this.root = root;
    this.status = root.querySelector("[data-status]");
    this.machines = root.querySelector("[data-machine]");
    this.tabs = [...root.querySelectorAll("[data-part]")];
    this.views = new Map();
    this.timeline = new Timeline(root.querySelector("[data-timeline]"), () => this.show());
    this.limits = startLimits(root, () => this.feed?.sessionId);
    this.tabs.forEach((tab, index) => {
      tab.addEventListener("click", () => this.choose(tab.dataset.part));
      tab.addEventListener("keydown", (event) => {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!by) return;
        const other = this.tabs[(index + by + this.tabs.length) % this.tabs.length];
        this.choose(other.dataset.part);
        other.focus();
      });
    });
    this.machines.addEventListener("change", () => this.show());
    setInterval(() => this.isOpen && this.tell(), CHECK_MS);
    new ResizeObserver(() => this.show()).observe(root);
    root.querySelector(".xray-bar").hidden = false;
    this.choose("processes");
  }

  open(sessionId) {
    this.isOpen = true;
    if (this.feed?.sessionId !== sessionId) {
      this.feed?.close(this);
      this.feed = sessionId ? this.listen(feedOf(sessionId)) : null;
      this.root.dataset.has = "";
    }
    this.feed?.open(this);
    this.tell();
    this.show();
  }

  close() {
    this.isOpen = false;
    this.feed?.close(this);
  }

  listen(feed) {
    if (feed.isHeard) return feed;
    feed.isHeard = true;
    feed.addEventListener("facts", () => this.show());
    feed.addEventListener("lost", () => this.isOpen && this.tell());
    feed.addEventListener("remark", ({ detail }) => this.limits?.refused(detail.refused));
    return feed;
  }

  // What is wrong, if anything is, and when facts came last.
  tell() {
    const { feed } = this;
    const at = feed?.heardAt;
    const isSilent = at && Date.now() - at > SILENT_MS;
    const has = !this.machines.options.length || Boolean(feed?.document.machines?.[this.machines.value]);
    const word = !feed ? "none" : feed.over ?? (!feed.socket ? "lost" : isSilent ? "silent" : !at ? "waiting" : has ? "" : "gone");
    const text = word ? this.status.dataset[word] : "";
    const last = at && text && word !== "gone" ? ` ${this.status.dataset.last.replace("%t", clockTime(at))}` : "";
    if (this.status.textContent !== text + last) this.status.textContent = text + last;
    this.root.classList.toggle("stale", Boolean(last));
  }

  choose(part) {
    this.part = part;
    for (const tab of this.tabs) {
      const isChosen = tab.dataset.part === part;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      this.home(tab.dataset.part).hidden = !isChosen;
    }
    this.show();
  }

  home(part) { return this.root.querySelector(`[data-home="${part}"]`); }

  show() {
    const history = this.feed?.history ?? [];
    if (!history.length || !this.isOpen || !this.root.clientWidth) return;
    this.offer(Object.keys(this.feed.document.machines ?? {}));
    const machine = this.machines.value;
    const events = this.feed.events(machine);
    this.timeline.show(history, events);
    const moment = this.timeline.current(history);
    const facts = moment.facts.machines?.[machine];
    this.root.dataset.has = facts ? "facts" : "";
    this.tell();
    if (!facts) return;
    this.root.classList.toggle("past", this.timeline.isPast);
    if (!this.views.has(this.part)) this.views.set(this.part, new VIEWS[this.part](this.home(this.part)));
    this.views.get(this.part).show(facts, history.slice(0, history.indexOf(moment) + 1), machine, events);
    this.limits?.show(facts, machine);
  }

  offer(names) {
    if (this.machines.options.length === names.length && names.every((name, index) => this.machines.options[index].value === name)) return;
    const chosen = this.machines.value;
    this.machines.replaceChildren(...names.map((name) => new Option(name, name)));
    if (names.includes(chosen)) this.machines.value = chosen;
    this.machines.parentElement.hidden = names.length < 2;
  }
}
