// The sandbox's root: what it shares with everybody, what it wrote itself, and every overlay made inside.
import { bytes, cut, fillTable, svg } from "./draw.js";
import { list } from "./document.js";

export class Layers {
  constructor(root) {
    this.words = root.dataset;
    this.picture = root.querySelector("svg");
    this.alone = root.querySelector("[data-alone]");
    [this.changes, this.mounts] = root.querySelectorAll("tbody");
  }

  show(facts) {
    const width = Math.max(320, this.picture.parentElement.clientWidth);
    const overlays = list(facts.mounts).filter((mount) => mount.type === "overlay" && mount.upper + mount.lower.join("") !== "");
    const stacks = [{ title: "/", layers: list(facts.layers).map((layer) => this.own(layer, facts)) },
      ...this.stacksOf(overlays).slice(0, 6).map(([mount, title]) => ({ title, layers: [
        ...(mount.upper ? [{ role: "upper", title: mount.upper, note: this.words.upper }] : []),
        ...mount.lower.map((path) => ({ role: "lower", title: path, note: this.words.lower }))] }))];
    let y = 0;
    const parts = [];
    for (const { title, layers } of stacks) {
      parts.push(svg("text", { x: 0, y: y + 16, class: "head" }, cut(title, Math.floor(width / 7))));
      y += 24;
      for (const layer of layers) {
        parts.push(this.layer(layer, y, width));
        y += 52;
      }
      y += 10;
    }
    this.picture.replaceChildren(...parts);
    this.picture.setAttribute("viewBox", `0 0 ${width} ${y}`);
    this.picture.setAttribute("height", y);
    this.alone.hidden = overlays.length > 0;
    fillTable(this.changes, list(facts.changes).sort((a, b) => a.path.localeCompare(b.path)).map((one) => ({ key: one.path,
      cells: [one.path, this.words[one.kind] ?? one.kind, one.type, one.type === "file" ? bytes(one.size_bytes) : ""] })));
    fillTable(this.mounts, Object.entries(facts.mounts ?? {}).map(([key, one]) => ({ key, type: "mnt",
      cells: [one.target, one.type, one.meaning, one.root === "/" ? "" : one.root, one.read_only ? "ro" : "rw", one.propagation, one.ns] })));
  }

  // One stack is often mounted twice: where an engine keeps it, and as the root of the container that runs on it.
  stacksOf(overlays) {
    const stacks = new Map();
    for (const mount of overlays) {
      const key = [mount.upper, ...mount.lower].join("\n");
      const place = mount.target === "/" ? `/ ${this.words.of} mnt:[${mount.ns}]` : mount.target;
      stacks.set(key, [mount, [...(stacks.get(key)?.[1] ?? []), place]]);
    }
    return [...stacks.values()].map(([mount, places]) => [mount, places.sort((a, b) => a.length - b.length).join(" · ")]);
  }

  own(layer, facts) {
    if (layer.role !== "upper") return { role: "lower", title: `${layer.name} ${layer.digest}`, note: this.words.lower };
    const count = list(facts.changes).length;
    return { role: "upper", title: this.words.this, share: layer.limit_bytes ? layer.used_bytes / layer.limit_bytes : 0,
      note: `${this.words.upper} · ${count}${facts.truncated?.includes("changes") ? "+" : ""} ${this.words.entries} · ${bytes(layer.used_bytes)} / ${bytes(layer.limit_bytes)}` };
  }

  layer({ role, title, note, share }, y, width) {
    const letters = Math.floor((width - 40) / 7.6);
    return svg("g", { class: `layer ${role}`, transform: `translate(1 ${y})` },
      svg("rect", { width: width - 2, height: 46, rx: 8 }),
      ...(share === undefined ? [] : [svg("rect", { class: "used", x: 10, y: 38, height: 4, width: Math.max(2, (width - 22) * Math.min(1, share)) })]),
      svg("text", { x: 12, y: 18, class: "id" }, cut(title, letters)), svg("text", { x: 12, y: 33, class: "note" }, cut(note, letters)));
  }
}
