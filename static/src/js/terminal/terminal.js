// One terminal on the page: xterm.js on a Connection. It owns the screen element, not the tab.
import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { Terminal } from "@xterm/xterm";
import { readClipboard, writeClipboard } from "../clipboard.js";
import { recall } from "../remember.js";
import { isAnswer } from "./answers.js";
import { clampSize } from "./codec.js";
import { Connection } from "./connection.js";
import { startGuesses } from "./guesses.js";
import { keyAction } from "./keys.js";
import { Prediction } from "./prediction.js";
import { currentContrast, currentTheme } from "./themes.js";

const encoder = new TextEncoder();
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class TerminalView extends EventTarget {
  constructor(element, { url, label, wayOut, words, isAhead }) {
    super();
    this.element = element;
    this.words = words;
    this.xterm = new Terminal({ allowProposedApi: true, cursorBlink: !still.matches, scrollback: 10000, theme: currentTheme(),
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--font-mono"),
      fontSize: Number(recall("font-size", 14)), screenReaderMode: recall("reader", "") === "on",
      minimumContrastRatio: currentContrast(), macOptionIsMeta: true, logLevel: "off" }); // a binary on the screen is no error of ours
    this.fit = new FitAddon();
    this.search = new SearchAddon();
    this.xterm.loadAddon(this.fit);
    this.xterm.loadAddon(this.search);
    // A sandbox may not write the clipboard (OSC 52) whatever an addon or a later xterm.js would allow.
    this.xterm.parser.registerOscHandler(52, () => true);
    this.build(label, wayOut);
    this.connection = new Connection(url, () => this.size(), isAhead);
    this.prediction = new Prediction({ roundTrip: () => this.connection.roundTrip.ms });
    startGuesses(this.xterm, this.prediction);
    this.wire();
    this.connection.open();
  }

  build(label, wayOut) {
    this.screen = Object.assign(document.createElement("div"), { className: "screen" });
    const note = Object.assign(document.createElement("p"), { className: "way-out", textContent: wayOut, id: `${this.element.id}-way-out` });
    this.element.append(this.screen, note);
    this.xterm.open(this.screen);
    this.xterm.textarea.setAttribute("aria-label", label);
    this.xterm.textarea.setAttribute("aria-describedby", note.id);
    this.xterm.textarea.addEventListener("focus", () => {
      this.element.classList.add("entered");
      setTimeout(() => this.element.classList.remove("entered"), 5000);
    });
    this.xterm.attachCustomKeyEventHandler((event) => keyAction(event, this));
    this.watcher = new ResizeObserver(() => this.refit());
    this.watcher.observe(this.screen);
    document.fonts.ready.then(() => this.refit());
    // Another tab may show this terminal in another size: the one in use decides.
    this.leaving = new AbortController();
    addEventListener("focus", () => this.claimSize(), { signal: this.leaving.signal });
  }

  wire() {
    this.xterm.onData((text) => { if (!this.replaying || !isAnswer(text)) this.type(text); });
    this.xterm.onBinary((text) => this.connection.type(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
    this.xterm.onResize(({ rows, cols }) => {
      this.prediction.reset(); // lines are wrapped anew
      this.connection.resize(clampSize(rows, cols));
    });
    this.connection.addEventListener("output", ({ detail }) => this.draw(detail));
    this.connection.addEventListener("restart", () => this.xterm.reset());
    this.connection.addEventListener("skipped", ({ detail }) => this.remark(this.words.skipped.replace("%s", detail.bytes)));
    this.connection.addEventListener("exit", ({ detail }) => {
      this.remark(this.words.exited.replace("%s", detail.status));
      this.status = { is: "exited", status: detail.status };
      this.dispatchEvent(new CustomEvent("status", { detail: this.status }));
    });
    this.connection.addEventListener("status", ({ detail }) => {
      this.status = detail;
      if (detail.is === "ready") this.connection.resize(this.size());
      else this.prediction.reset();
      this.dispatchEvent(new CustomEvent("status", { detail }));
    });
  }

  claimSize() { if (this.isReady && this.element.checkVisibility()) this.connection.resize(this.size()); }

  // A program's question to the terminal (its kind, the cursor's place) was answered when it was printed. When the same
  // bytes are replayed to a page that comes back, xterm.js answers again, and the shell would get it as if typed.
  draw({ bytes, isReplay, parsed }) {
    if (!isReplay) return this.xterm.write(bytes, () => { this.prediction.parsed(); parsed(); });
    this.replaying = (this.replaying ?? 0) + 1;
    this.xterm.write(bytes, () => { this.replaying -= 1; parsed(); });
  }

  remark(text) { this.xterm.write(`\r\n\x1b[2m[${text}]\x1b[0m\r\n`); }

  size() { return clampSize(this.xterm.rows, this.xterm.cols); }

  refit() { if (this.screen.clientWidth && this.screen.clientHeight) this.fit.fit(); }

  type(text) {
    const sent = this.modify ? this.modify(text) : text;
    this.prediction.typed(sent);
    this.connection.type(encoder.encode(sent));
  }

  get isReady() { return this.status?.is === "ready"; }

  // Each says how it went, for the toolbar to tell.
  async copy() {
    if (!this.xterm.hasSelection()) return "nothingSelected";
    await writeClipboard(this.xterm.getSelection());
    return "copied";
  }

  async paste() {
    const text = await readClipboard();
    this.xterm.focus();
    if (text === null) return "pasteByKeys";
    this.xterm.paste(text);
    return "";
  }

  // What the screen and its scrollback hold, as text.
  transcript() {
    const buffer = this.xterm.buffer.normal;
    const lines = Array.from({ length: buffer.length }, (_, row) => buffer.getLine(row));
    const joined = lines.reduce((text, line) => text + (line.isWrapped || !text ? "" : "\n") + line.translateToString(true), "");
    return `${joined.trimEnd()}\n`;
  }

  set({ fontSize, reader }) {
    if (fontSize) this.xterm.options.fontSize = fontSize;
    if (reader !== undefined) this.xterm.options.screenReaderMode = reader;
    this.xterm.options.theme = currentTheme();
    this.xterm.options.minimumContrastRatio = currentContrast();
    this.refit();
  }

  dispose() {
    this.connection.close();
    this.leaving.abort();
    this.watcher.disconnect();
    this.xterm.dispose();
    this.element.remove();
  }
}
