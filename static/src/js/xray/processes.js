// Processes, outside and inside side by side: one row is one process, and what is lit on one side is lit on the other.
import { bytes, cut, fillTable, roving, svg } from "./draw.js";
import { processesInOrder } from "./document.js";

const ROW = 34;
const FADE_MS = 1500;

export class Processes {
  constructor(root) {
    this.words = root.dataset;
    this.picture = root.querySelector("svg");
    this.alone = root.querySelector("[data-alone]");
    this.table = root.querySelector("tbody");
    this.rows = new Map(); // pid -> its group in the picture
    this.refreshStops = roving(this.picture, ".process.outside");
    for (const event of ["pointerover", "focusin"]) this.picture.addEventListener(event, ({ target }) => this.light(target.closest("[data-pid]")?.dataset.pid));
    for (const event of ["pointerleave", "focusout"]) this.picture.addEventListener(event, () => this.light(null));
  }

  light(pid) {
    for (const [key, row] of this.rows) row.classList.toggle("lit", String(key) === pid);
  }

  show(facts) {
    const processes = processesInOrder(facts);
    const width = Math.max(320, this.picture.parentElement.clientWidth);
    const isFirst = !this.rows.size;
    processes.forEach((one, index) => {
      const row = this.rows.get(one.pid) ?? this.add(one.pid, isFirst);
      row.setAttribute("transform", `translate(0 ${26 + index * ROW})`);
      this.fill(row, one, width, facts);
    });
    const living = new Set(processes.map((one) => one.pid));
    for (const [pid, row] of this.rows) if (!living.has(pid)) this.remove(pid, row);
    this.picture.setAttribute("viewBox", `0 0 ${width} ${30 + processes.length * ROW}`);
    this.picture.setAttribute("height", 30 + processes.length * ROW);
    this.alone.hidden = processes.some((one) => one.depth > 0);
    this.head(width);
    this.refreshStops();
    fillTable(this.table, processes.map((one) => ({ key: String(one.pid), cells: [
      one.pid, one.pids.slice(1).join(" › "), one.comm, one.command, `${one.uid} / ${one.uid_inside}`, one.state,
      bytes(one.memory_bytes), `${one.cpu_seconds.toFixed(2)} s`, one.apart.join(", "), one.engine, one.seccomp,
      one.capabilities.length === 41 ? this.words.all : one.capabilities.join(", ")] })));
  }

  head(width) {
    this.titles ??= ["outside", "inside"].map((side) => this.picture.appendChild(svg("text", { class: "head", y: 14 }, this.words[side])));
    this.titles[1].setAttribute("x", width / 2 + 12);
  }

  add(pid, isFirst) {
    const row = svg("g", { class: isFirst ? "row" : "row new", "data-pid": pid });
    row.append(svg("line", { class: "twin" }), this.side("outside"), this.side("inside"));
    this.picture.append(row);
    this.rows.set(pid, row);
    return row;
  }

  side(name) {
    return svg("g", { class: `process ${name}`, ...(name === "outside" ? { tabindex: -1, role: "img" } : {}) },
      svg("rect", { height: ROW - 8, rx: 6 }), svg("text", { class: "pid", y: 18, x: 8 }), svg("text", { class: "name", y: 18 }));
  }

  fill(row, one, width, facts) {
    const [twin, outside, inside] = row.children;
    const half = width / 2;
    const isApart = one.ns.pid && one.depth > 0;
    this.place(outside, Math.min(one.level, 6) * 14, half - 12, String(one.pid), one.comm);
    this.place(inside, half + 12 + Math.min(one.level, 6) * 14, width - 4, one.pids.slice(1).join(" › "), one.comm);
    inside.classList.toggle("ns-pid", Boolean(isApart));
    inside.classList.toggle("apart", Boolean(isApart));
    outside.setAttribute("aria-label", this.words.label.replace("%n", one.comm).replace("%o", one.pid)
      .replace("%i", one.pids.slice(1).join(", ")).replace("%p", facts.processes[one.ppid]?.comm ?? "–"));
    const from = outside.right;
    for (const [key, value] of Object.entries({ x1: from, x2: inside.left, y1: 13, y2: 13 })) twin.setAttribute(key, value);
  }

  place(side, left, most, pid, name) {
    const room = most - left - 16;
    const text = cut(name, Math.max(4, Math.floor((room - pid.length * 8.2 - 10) / 7.6)));
    const width = Math.min(room + 12, 16 + pid.length * 8.2 + 10 + text.length * 7.6);
    side.setAttribute("transform", `translate(${left} 0)`);
    side.children[0].setAttribute("width", width);
    side.children[1].textContent = pid;
    side.children[2].textContent = text;
    side.children[2].setAttribute("x", 16 + pid.length * 8.2);
    side.left = left;
    side.right = left + width;
  }

  remove(pid, row) {
    this.rows.delete(pid);
    row.classList.add("gone");
    setTimeout(() => row.remove(), FADE_MS);
  }
}
