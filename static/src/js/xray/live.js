// The lesson's own drawings, fed by the reader's sandbox. A drawing asks for facts only while it is in
// sight; where the facts say nothing, it shows what its author drew.
import { ask, fill, isTrue, partOf, vocabulary } from "./ask.js";
import { feedOf } from "./feed.js";

export class Live {
  constructor(sessionId) {
    this.feed = feedOf(sessionId);
    this.drawn = new WeakMap(); // element -> what its author wrote
    this.inSight = new Set();
    this.refresh = () => this.inSight.forEach((figure) => this.draw(figure));
    this.feed.addEventListener("facts", this.refresh);
    this.watcher = new IntersectionObserver((entries) => this.see(entries));
    for (const figure of document.querySelectorAll(".figure:has([data-fact], [data-fact-if], [data-fact-part])")) this.watcher.observe(figure);
  }

  end() {
    this.watcher.disconnect();
    this.feed.removeEventListener("facts", this.refresh);
    this.feed.close(this);
  }

  see(entries) {
    for (const { target, isIntersecting } of entries) this.inSight[isIntersecting ? "add" : "delete"](target);
    if (this.inSight.size) this.feed.open(this);
    else this.feed.close(this);
    this.refresh();
  }

  get machines() { return this.feed.newest?.facts.machines ?? {}; }

  // Of the machine that the element or a group around it names, else of the lab's first; null while that one is not there.
  factsFor(element) {
    const name = element.closest("[data-fact-machine]")?.dataset.factMachine;
    const machine = name ? this.machines[name] : Object.values(this.machines)[0];
    return machine ? vocabulary(machine) : null;
  }

  draw(figure) {
    if (!Object.keys(this.machines).length) return;
    figure.classList.add("live");
    for (const element of figure.querySelectorAll("[data-fact]")) {
      if (!this.drawn.has(element)) this.drawn.set(element, element.textContent);
      const facts = this.factsFor(element);
      const value = facts && ask(element.dataset.fact, facts);
      const text = !isTrue(value) && value !== 0 ? this.drawn.get(element) : fill(element.dataset.factText ?? "{@}", value, facts);
      if (element.textContent !== text) element.textContent = text;
    }
    for (const bar of figure.querySelectorAll("[data-fact-part]")) {
      if (!this.drawn.has(bar)) this.drawn.set(bar, bar.getAttribute("width"));
      const facts = this.factsFor(bar);
      const part = facts && partOf(bar.dataset.factPart, bar.dataset.factOf, facts);
      bar.setAttribute("width", part === null ? this.drawn.get(bar) : part * bar.dataset.full);
    }
    for (const element of figure.querySelectorAll("[data-fact-if]")) {
      const facts = this.factsFor(element);
      element.classList.toggle("unseen", facts !== null && !isTrue(ask(element.dataset.factIf, facts)));
    }
  }
}
