// The lesson's own drawings and measurements, fed by the reader's sandbox. A drawing asks for facts only while it is in
// sight; where the facts say nothing, it shows what its author drew.
import { ask, fill, inUnit, isTrue, vocabulary } from "./ask.js";
import { feedOf } from "./feed.js";

export class Live {
  constructor(sessionId) {
    this.feed = feedOf(sessionId);
    this.drawn = new WeakMap(); // element -> what its author wrote
    this.inSight = new Set();
    this.refresh = () => this.inSight.forEach((figure) => this.draw(figure));
    this.feed.addEventListener("facts", this.refresh);
    this.watcher = new IntersectionObserver((entries) => this.see(entries));
    for (const figure of document.querySelectorAll(".figure:has([data-fact], [data-fact-if])")) this.watcher.observe(figure);
    for (const button of document.querySelectorAll("[data-measure-facts]")) {
      button.hidden = false;
      button.onclick = () => this.measure(button);
    }
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

  get facts() {
    const machine = Object.values(this.feed.newest?.facts.machines ?? {})[0];
    return machine ? vocabulary(machine) : null;
  }

  draw(figure) {
    const { facts } = this;
    if (!facts) return;
    figure.classList.add("live");
    for (const element of figure.querySelectorAll("[data-fact]")) {
      if (!this.drawn.has(element)) this.drawn.set(element, element.textContent);
      const value = ask(element.dataset.fact, facts);
      const text = !isTrue(value) && value !== 0 ? this.drawn.get(element) : fill(element.dataset.factText ?? "{@}", value, facts);
      if (element.textContent !== text) element.textContent = text;
    }
    for (const element of figure.querySelectorAll("[data-fact-if]")) element.classList.toggle("unseen", !isTrue(ask(element.dataset.factIf, facts)));
  }

  // One look, then the field holds the number; keeping it is the student's own click.
  async measure(button) {
    this.feed.open(button);
    const answered = new Promise((done) => this.feed.addEventListener("facts", done, { once: true }));
    await Promise.race([answered, new Promise((done) => setTimeout(done, 3000))]);
    this.feed.close(button);
    const value = this.facts && inUnit(ask(button.dataset.measureFacts, this.facts), button.dataset.unit);
    const said = button.parentElement.querySelector("[data-measure-said]");
    said.textContent = value === null || value === undefined ? said.dataset.nothing : "";
    if (said.textContent) return;
    const field = button.closest("form").elements.value;
    field.value = value;
    field.focus();
  }
}
