// Use against limits over time: four charts of one control group, and what the kernel did to whoever went too far.
import uPlot from "uplot";
import { bytes, clockTime, fillTable, html } from "./draw.js";
import { list, rate } from "./document.js";

const KEEP_SECONDS = 300;
const ACTED = new Set(["oom", "refused", "throttled"]);
const percent = (value) => (value === null ? "–" : `${Math.round(value * 100)} %`);
// What an axis steps by: amounts of bytes in powers of two, or their labels would be odd; processes in whole ones. ``least``
// is the height of a chart in which nothing happens.
const BINARY = { incrs: Array.from({ length: 44 }, (_, power) => 2 ** power), least: 1024 };
const WHOLE = { incrs: [1, 10, 100, 1000, 10000].flatMap((power) => [1, 2, 5].map((step) => step * power)), least: 1 };
const CHARTS = [
  { ...BINARY, name: "memory", format: bytes, read: (group) => group.memory.usage_bytes, limit: (group) => group.memory.limit_bytes, kinds: ["oom"] },
  { name: "cpu", format: percent, read: (group, before, seconds) => rate(before?.cpu.usage_seconds, group.cpu.usage_seconds, seconds), limit: (group) => group.cpu.limit_cpus, kinds: ["throttled"] },
  { ...WHOLE, name: "pids", format: String, read: (group) => group.pids.current, limit: (group) => group.pids.limit, kinds: ["refused"] },
  { ...BINARY, name: "io", format: (value) => (value === null ? "–" : `${bytes(Math.round(value))}/s`), kinds: [], limit: () => undefined,
    read: (group, before, seconds) => rate(before && before.io.read_bytes + before.io.written_bytes, group.io.read_bytes + group.io.written_bytes, seconds) },
];

export class Resources {
  constructor(root) {
    this.words = root.dataset;
    this.root = root;
    this.select = root.querySelector("[data-group]");
    this.table = root.querySelector("tbody");
    this.list = root.querySelector("[data-kernel]");
    this.charts = new Map();
    this.select.addEventListener("change", () => this.draw());
    new MutationObserver(() => this.forget()).observe(document.documentElement, { attributeFilter: ["data-theme"] }); // their ink is the page's
  }

  show(facts, history, machine, events) {
    this.happened = events.filter(({ kind, at }) => ACTED.has(kind) && at <= history.at(-1).at + 1500);
    this.history = history.map(({ at, facts: whole }) => ({ at, facts: whole.machines?.[machine] ?? {} }));
    const groups = list(facts.cgroups);
    this.offer(groups.map((group) => group.path));
    fillTable(this.table, groups.map((group) => ({ key: group.path, cells: [
      this.label(group.path), `${bytes(group.memory.usage_bytes)} / ${bytes(group.memory.limit_bytes)}`, group.memory.oom_kills,
      `${group.cpu.usage_seconds.toFixed(1)} s / ${group.cpu.limit_cpus ?? "–"}`, `${group.cpu.throttled_periods} (${group.cpu.throttled_seconds.toFixed(1)} s)`,
      `${group.pids.current} / ${group.pids.limit ?? "–"}`, group.pids.refused, `${bytes(group.io.read_bytes)} / ${bytes(group.io.written_bytes)}`, this.pressure(group)] })));
    this.draw();
    this.tell();
  }

  // Version 1 of control groups does not count who waits.
  pressure({ pressure }) { return pressure ? ["memory", "cpu", "io"].map((word) => `${Math.round(pressure[word])} %`).join(" / ") : this.words.uncounted; }

  label(path) { return path === "/.." ? this.words.around : path; }

  offer(paths) {
    if (this.offered === paths.join("\n")) return;
    this.offered = paths.join("\n");
    const chosen = this.select.value;
    this.select.replaceChildren(...paths.map((path) => html("option", { value: path }, this.label(path))));
    this.select.value = paths.includes(chosen) ? chosen : paths[0];
  }

  draw() {
    const since = (this.history.at(-1)?.at ?? 0) - KEEP_SECONDS * 1000;
    const samples = this.history.filter(({ at }) => at >= since).map(({ at, facts }) => ({ at: at / 1000, group: facts.cgroups?.[this.select.value] })).filter(({ group }) => group);
    for (const chart of CHARTS) {
      const values = samples.map(({ at, group }, index) => chart.read(group, samples[index - 1]?.group, at - (samples[index - 1]?.at ?? at)));
      const limits = samples.map(({ group }) => chart.limit(group) ?? null);
      this.plot(chart, [samples.map(({ at }) => at), values, limits]);
    }
  }

  plot(chart, data) {
    const place = this.root.querySelector(`[data-chart="${chart.name}"]`);
    const [value, limit] = [data[1].at(-1) ?? null, data[2].at(-1) ?? null];
    place.querySelector("[data-now]").textContent = `${value === null ? "–" : chart.format(value)}${limit === null ? "" : ` / ${chart.format(limit)}`}`;
    const home = place.querySelector("[data-plot]");
    const width = home.clientWidth;
    if (!width) return;
    let plot = this.charts.get(chart.name);
    if (!plot) this.charts.set(chart.name, plot = new uPlot(this.options(chart, width), data, home));
    else plot.setData(data);
    if (plot.width !== width) plot.setSize({ width, height: 130 });
  }

  options(chart, width) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--ink-soft"), grid: { stroke: colour("--rule"), width: 1 }, ticks: { stroke: colour("--rule") }, font: "12px sans-serif" };
    return { width, height: 130, padding: [8, 28, 0, 0], legend: { show: false }, cursor: { show: false }, scales: { y: { range: (u, low, high) => [0, Math.max(high * 1.1, chart.least ?? 0.01)] } },
      axes: [{ ...axis, values: (u, ticks) => ticks.map((tick) => clockTime(tick * 1000)), space: 90 }, { ...axis, size: 72, ...(chart.incrs && { incrs: chart.incrs }), values: (u, ticks) => ticks.map(chart.format) }],
      series: [{}, { stroke: colour("--teal"), width: 2, fill: colour("--teal-wash"), points: { show: false } }, { stroke: colour("--red"), width: 2, dash: [6, 4], points: { show: false } }],
      hooks: { draw: [(u) => this.mark(u, chart, colour("--red"))] } };
  }

  // A line where the kernel acted.
  mark(plot, chart, colour) {
    const { ctx, bbox } = plot;
    for (const { at, kind, what } of this.happened ?? []) {
      if (!chart.kinds.includes(kind) || at / 1000 < plot.scales.x.min || what !== this.select.value) continue;
      const x = plot.valToPos(at / 1000, "x", true);
      ctx.fillStyle = colour;
      ctx.fillRect(x - 1, bbox.top, 2, bbox.height);
    }
  }

  tell() {
    const lines = this.happened.slice(-20).reverse().map(({ at, kind, what, limit }) => `${clockTime(at)}  ${this.words[kind].replace("%g", this.label(what))
      .replace("%l", kind === "oom" ? bytes(limit) : String(limit ?? "–"))}`);
    if (this.told === lines.join("\n")) return;
    this.told = lines.join("\n");
    this.list.replaceChildren(...(lines.length ? lines.map((line) => html("li", {}, line)) : [html("li", { class: "soft" }, this.words.quiet)]));
  }

  forget() {
    for (const plot of this.charts.values()) plot.destroy();
    this.charts.clear();
    if (this.history) this.draw();
  }
}
