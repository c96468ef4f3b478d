// Namespaces as boxes in the colour of their type; a chosen one says who is in it and how to get in.
import { fillTable, html, redraw, roving, svg } from "./draw.js";
import { enterCommand, list } from "./document.js";

const BOX = { width: 172, height: 44, gap: 10 };
const TYPES = ["pid", "mnt", "net", "uts", "ipc", "user", "cgroup", "time"];
const LABEL = 64;

export class Namespaces {
  constructor(root) {
    this.words = root.dataset;
    this.picture = root.querySelector("svg");
    this.alone = root.querySelector("[data-alone]");
    this.table = root.querySelector("tbody");
    this.detail = root.querySelector("[data-detail]");
    this.seen = null;
    this.refreshStops = roving(this.picture, "[data-space]");
    const choose = ({ target }) => { const box = target.closest("[data-space]"); if (box) this.choose(box.dataset.space); };
    this.picture.addEventListener("click", choose);
    this.picture.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      choose(event);
    });
  }

  show(facts) {
    this.facts = facts;
    const width = Math.max(320, this.picture.parentElement.clientWidth);
    const perRow = Math.max(1, Math.floor((width - LABEL) / (BOX.width + BOX.gap)));
    const spaces = list(facts.namespaces);
    const parts = [];
    let y = 0;
    for (const type of TYPES) {
      const mine = this.inOrder(spaces.filter((space) => space.type === type));
      if (!mine.length) continue;
      parts.push(svg("text", { class: `lane ns-${type}`, "data-key": type, x: 0, y: y + 27 }, type));
      mine.forEach((space, index) => {
        const x = LABEL + (index % perRow) * (BOX.width + BOX.gap);
        parts.push(this.box(space, x, y + Math.floor(index / perRow) * (BOX.height + BOX.gap)));
      });
      y += Math.ceil(mine.length / perRow) * (BOX.height + BOX.gap) + 4;
    }
    redraw(this.picture, parts);
    this.picture.setAttribute("viewBox", `0 0 ${width} ${y}`);
    this.picture.setAttribute("height", y);
    this.seen = new Set(Object.keys(facts.namespaces ?? {}));
    this.alone.hidden = spaces.some((space) => !space.is_sandbox && !space.is_host);
    this.refreshStops();
    fillTable(this.table, spaces.map((space) => ({ key: `${space.type}:${space.id}`, type: space.type, cells: [
      space.type, space.id, this.belongs(space), space.parent || "–", space.members.length, space.kept.join(", "), space.hostname] })));
    this.tell();
  }

  // A child stands behind its parent.
  inOrder(spaces) {
    const known = new Set(spaces.map((space) => space.id));
    const walk = (parent, level) => spaces.filter((space) => (known.has(space.parent) ? space.parent : 0) === parent)
      .flatMap((space) => [{ ...space, level }, ...walk(space.id, level + 1)]);
    return walk(0, 0);
  }

  belongs(space) { return space.is_host ? this.words.host : space.is_sandbox ? this.words.sandbox : this.words.own; }

  box(space, x, y) {
    const key = `${space.type}:${space.id}`;
    const isNew = this.seen && !this.seen.has(key);
    const note = space.members.length ? `${space.members.length} ${this.words.members}` : this.words.empty;
    return svg("g", { class: `space ns-${space.type}${isNew ? " new" : ""}${space.is_host ? " host" : ""}`, "data-key": key, "data-space": key, role: "button", tabindex: -1,
      "aria-pressed": String(this.chosen === key), transform: `translate(${x} ${y})` },
    svg("rect", { width: BOX.width, height: BOX.height, rx: 8 }),
    svg("text", { x: 10, y: 19, class: "id" }, `${space.level ? "↳ " : ""}${space.type}:[${space.id}]`), " ",
    svg("text", { x: 10, y: 35, class: "note" }, `${this.belongs(space)} · ${note}`));
  }

  choose(key) {
    this.chosen = this.chosen === key ? null : key;
    for (const box of this.picture.querySelectorAll("[data-space]")) box.setAttribute("aria-pressed", String(box.dataset.space === this.chosen));
    this.tell();
    this.detail.scrollIntoView({ block: "nearest" }); // on a short screen it would open below the edge
  }

  tell() {
    const space = this.facts.namespaces?.[this.chosen];
    const members = (space?.members ?? []).map((pid) => this.facts.processes?.[pid]).filter(Boolean);
    const text = space ? JSON.stringify([space, members.map(({ comm, pid_sandbox }) => [comm, pid_sandbox])]) : "";
    if (this.told === text) return;
    this.told = text;
    this.detail.hidden = !space;
    if (!space) return;
    const command = space.is_host ? "" : enterCommand(space, this.facts);
    this.detail.replaceChildren(
      html("h4", { class: `ns-${space.type}` }, `${space.type}:[${space.id}]`, space.hostname ? ` · ${space.hostname}` : ""),
      html("ul", {}, ...members.slice(0, 40).map((one) => html("li", {}, html("code", {}, String(one.pid_sandbox)),
        ` ${one.comm} (${one.pid})${space.entered.includes(one.pid) ? ` · ${this.words.entered}` : ""}`))),
      ...space.kept.map((path) => html("p", {}, this.words.kept.replace("%s", path))),
      ...(space.uid_map ?? []).map((row) => html("p", {}, this.words.map.replace("%i", `${row.inside}–${row.inside + row.count - 1}`).replace("%o", `${row.outside}–${row.outside + row.count - 1}`))),
      ...(command ? [this.copyable(command)] : []));
  }

  copyable(command) {
    const button = html("button", { type: "button", class: "button small" }, this.words.copy);
    button.addEventListener("click", async () => {
      await navigator.clipboard?.writeText(command);
      button.textContent = this.words.copied;
    });
    return html("p", { class: "enter" }, html("code", {}, command), " ", button);
  }
}
