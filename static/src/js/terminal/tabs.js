// The terminals of one session: tabs with a roving tabindex, opened by the server's word, closed by the person.
import { TerminalView } from "./terminal.js";

const csrf = () => document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";

export class TerminalTabs extends EventTarget {
  constructor(bench) {
    super();
    this.bench = bench;
    this.list = bench.querySelector("[data-term-tabs]");
    this.home = bench.querySelector("[data-terminals]");
    this.words = JSON.parse(this.home.dataset.words);
    this.open = new Map(); // number -> {view, machine, tab, button}
    this.list.addEventListener("keydown", (event) => this.arrow(event));
    bench.querySelector("[data-term-new]").addEventListener("click", () => this.ask());
  }

  get current() { return this.open.get(this.shown); }

  ofMachine(machine) {
    if (!machine || this.current?.machine === machine) return this.current;
    return [...this.open.values()].find((one) => one.machine === machine);
  }

  add({ number, title, machine }) {
    if (this.open.has(number)) return;
    const label = title || `${this.list.dataset.title} ${number + 1}`;
    const element = Object.assign(document.createElement("div"), { className: "term", id: `terminal-${number}` });
    element.setAttribute("role", "tabpanel");
    element.setAttribute("aria-labelledby", `terminal-tab-${number}`);
    this.home.append(element);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const url = `${scheme}://${location.host}/ws/sessions/${this.bench.dataset.session}/terminals/${number}/`;
    const view = new TerminalView(element, { url, label, wayOut: this.home.dataset.wayOut, words: this.words });
    view.addEventListener("status", ({ detail }) => this.dispatchEvent(new CustomEvent("status", { detail: { number, ...detail } })));
    this.open.set(number, { number, view, machine, ...this.makeTab(number, label) });
    this.show(number);
  }

  makeTab(number, label) {
    const tab = Object.assign(document.createElement("span"), { className: "term-tab" });
    tab.setAttribute("role", "presentation");
    const button = Object.assign(document.createElement("button"), { type: "button", id: `terminal-tab-${number}`, textContent: label });
    button.setAttribute("role", "tab");
    button.setAttribute("aria-controls", `terminal-${number}`);
    button.addEventListener("click", () => { this.show(number); this.current.view.xterm.focus(); });
    tab.append(button);
    if (number > 0) tab.append(this.makeClose(number, label));
    this.list.append(tab);
    return { tab, button };
  }

  makeClose(number, label) {
    const close = Object.assign(document.createElement("button"), { type: "button", className: "close", textContent: "×", tabIndex: -1 });
    close.setAttribute("aria-label", this.list.dataset.closeLabel.replace("%s", label));
    close.addEventListener("click", () => this.remove(number));
    return close;
  }

  show(number) {
    this.shown = number;
    for (const one of this.open.values()) {
      const isShown = one.number === number;
      one.view.element.hidden = !isShown;
      one.button.setAttribute("aria-selected", String(isShown));
      one.button.tabIndex = isShown ? 0 : -1;
    }
    this.current.view.refit();
    this.dispatchEvent(new CustomEvent("shown", { detail: { number } }));
  }

  // Ends the shell as a person would (Ctrl-D) and lets go of it; its tab does not come back by itself.
  remove(number) {
    const one = this.open.get(number);
    one.view.type("\x04");
    setTimeout(() => one.view.dispose(), 300);
    one.tab.remove();
    this.open.delete(number);
    if (this.shown === number) this.show([...this.open.keys()].at(-1));
  }

  async ask() {
    const body = new FormData();
    body.set("csrfmiddlewaretoken", csrf());
    if (this.current?.machine) body.set("machine", this.current.machine);
    const response = await fetch(this.bench.dataset.terminalsUrl, { method: "POST", body, headers: { Accept: "application/json" } });
    if (response.headers.get("content-type")?.includes("json") && response.ok) this.add(await response.json());
  }

  arrow(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const numbers = [...this.open.keys()];
    this.show(numbers[(numbers.indexOf(this.shown) + by + numbers.length) % numbers.length]);
    this.current.button.focus();
  }
}
