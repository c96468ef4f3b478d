// The terminals of one session: tabs with a roving tabindex, opened by the server's word, closed by the person.
import { TerminalView } from "./terminal.js";

const WORD_WITHIN_MS = 4000; // should the word that it is open get lost
const csrf = () => document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
const make = (name, properties, attributes = {}) => {
  const element = Object.assign(document.createElement(name), properties);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

export class TerminalTabs extends EventTarget {
  constructor(bench) {
    super();
    this.bench = bench;
    this.list = bench.querySelector("[data-term-tabs]");
    this.home = bench.querySelector("[data-terminals]");
    this.words = JSON.parse(this.home.dataset.words);
    this.open = new Map(); // number -> {number, view, machine, tab, button, isClosed}
    this.list.addEventListener("keydown", (event) => this.arrow(event));
    this.machines = bench.querySelector("[data-term-machine]"); // only where there are several
    bench.querySelector("[data-term-new]").addEventListener("click", () => this.ask(this.machines?.value));
  }

  get areMachinesKnown() { return [...this.open.values()].every((one) => one.machine); }

  get current() { return this.open.get(this.shown); }

  ofMachine(machine) {
    const isFit = (one) => one && !one.isClosed && (!machine || one.machine === machine);
    return isFit(this.current) ? this.current : [...this.open.values()].find(isFit);
  }

  // What the server says of one terminal. The first word may come before its title and machine are known.
  take({ number, title, machine, state }) {
    const one = this.open.get(number);
    if (state === "closed") return one && this.markClosed(one);
    if (!one) return this.add({ number, title, machine });
    if (one.isClosed) return this.replace(one, { number, title, machine });
    one.view.connection.arrive();
    one.machine = machine ?? one.machine;
    if (title) this.rename(one, title);
  }

  // The first terminal of a sandbox that is being started connects meanwhile; nobody sees it until its shell is there.
  expect() { if (!this.open.size) this.add({ number: 0, isAhead: true }); }

  add({ number, title, machine, isAhead }) {
    const label = title || `${this.list.dataset.title} ${number + 1}`;
    const element = make("div", { className: "term", id: `terminal-${number}` }, { role: "tabpanel", "aria-labelledby": `terminal-tab-${number}` });
    this.home.append(element);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const url = `${scheme}://${location.host}/ws/sessions/${this.bench.dataset.session}/terminals/${number}/`;
    const view = new TerminalView(element, { url, label, wayOut: this.home.dataset.wayOut, words: this.words, isAhead });
    view.addEventListener("status", ({ detail }) => {
      if (detail.is === "exited") this.markClosed(this.open.get(number));
      this.dispatchEvent(new CustomEvent("status", { detail: { number, ...detail } }));
    });
    this.open.set(number, { number, view, machine, ...this.makeTab(number, label) });
    this.show(this.current && !this.current.isClosed ? this.shown : number);
  }

  replace(one, terminal) {
    const hadFocus = this.bench.contains(document.activeElement);
    this.drop(one);
    this.add(terminal);
    if (hadFocus) this.current.view.xterm.focus();
  }

  makeTab(number, label) {
    const tab = make("span", { className: "term-tab" }, { role: "presentation" });
    const button = make("button", { type: "button", id: `terminal-tab-${number}`, textContent: label }, { role: "tab", "aria-controls": `terminal-${number}` });
    button.addEventListener("click", () => { this.show(number); this.current.view.xterm.focus(); });
    const close = make("button", { type: "button", className: "close", textContent: "×", tabIndex: -1 });
    close.addEventListener("click", () => this.remove(number));
    tab.append(button, close);
    const after = [...this.open.values()].filter((one) => one.number < number).at(-1);
    if (after) after.tab.after(tab);
    else this.list.prepend(tab);
    const one = { tab, button, close };
    this.rename(one, label);
    return one;
  }

  rename({ button, close, view }, label) {
    button.textContent = label;
    const words = this.list.dataset.closeLabel.replace("%s", label);
    close.setAttribute("aria-label", words);
    close.title = words;
    view?.xterm.textarea.setAttribute("aria-label", label);
  }

  markClosed(one) {
    one.isClosed = true;
    one.tab.classList.add("closed");
  }

  show(number) {
    this.shown = number;
    for (const one of this.open.values()) {
      const isShown = one.number === number;
      one.view.element.hidden = !isShown;
      one.button.setAttribute("aria-selected", String(isShown));
      one.button.tabIndex = isShown ? 0 : -1;
      one.close.hidden = this.open.size === 1;
    }
    this.current.view.refit();
    if (this.machines && this.current.machine) this.machines.value = this.current.machine;
    this.dispatchEvent(new CustomEvent("shown", { detail: { number } }));
  }

  // Something else of the bench is looked at; ``show`` brings the terminal back.
  veil() {
    for (const { view, button } of this.open.values()) {
      view.element.hidden = true;
      button.setAttribute("aria-selected", "false");
      button.tabIndex = -1;
    }
  }

  // The worker hangs the line up, so whatever runs in the terminal ends as if its window had been closed.
  remove(number) {
    const one = this.open.get(number);
    if (!one.isClosed) this.post(`${this.bench.dataset.terminalsUrl}${number}/end/`);
    this.drop(one);
    if (this.shown === number) this.show([...this.open.keys()].at(-1));
    else this.show(this.shown);
    this.current.button.focus();
  }

  drop(one) {
    one.view.dispose();
    one.tab.remove();
    this.open.delete(one.number);
  }

  clear() { for (const one of this.open.values()) this.drop(one); }

  post(url, fields = {}) {
    const body = new FormData();
    for (const [name, value] of Object.entries({ csrfmiddlewaretoken: csrf(), ...fields })) body.set(name, value);
    return fetch(url, { method: "POST", body, headers: { Accept: "application/json" } });
  }

  // A new terminal, or the present one again after its shell has ended. That is taken up when the worker says that it is
  // open: whoever greets it before is told of the end of the former one.
  async ask(machine = this.current?.machine, again = null) {
    const fields = { ...(machine && { machine }), ...(again && { number: again.number }) };
    const response = await this.post(this.bench.dataset.terminalsUrl, fields).catch(() => null);
    const answer = response?.headers.get("content-type")?.includes("json") ? await response.json() : {};
    if (!response?.ok || response.redirected) return this.dispatchEvent(new CustomEvent("refused", { detail: answer }));
    if (again && answer.number === again.number) return this.takeLater(again, answer);
    this.take(answer);
    this.show(answer.number);
    this.current.view.xterm.focus();
  }

  takeLater(again, answer) {
    setTimeout(() => { if (this.open.get(again.number) === again) this.take(answer); }, WORD_WITHIN_MS);
  }

  arrow(event) {
    const buttons = [...this.list.querySelectorAll("[role=tab]")];
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (event.key === "Delete" && this.open.size > 1 && this.current.button === document.activeElement) return this.remove(this.shown);
    if (to === undefined) return;
    event.preventDefault();
    const next = buttons[(to + buttons.length) % buttons.length];
    next.click();
    next.focus();
  }
}
