// A map of the network: one box per namespace with its interfaces, and the cables between their ends.
import { cut, fillTable, svg } from "./draw.js";
import { list } from "./document.js";

const LINE = 24;

export class Network {
  constructor(root) {
    this.words = root.dataset;
    this.picture = root.querySelector("svg");
    this.alone = root.querySelector("[data-alone]");
    [this.links, this.routes, this.sockets] = root.querySelectorAll("tbody");
  }

  show(facts) {
    const networks = list(facts.networks).sort((a, b) => b.is_sandbox - a.is_sandbox || a.ns - b.ns);
    const width = Math.max(320, this.picture.parentElement.clientWidth);
    const perRow = width > 620 ? 2 : 1;
    const box = (width - (perRow - 1) * 70) / perRow - 2;
    const ends = new Map();
    const boxes = [];
    const bottoms = Array(perRow).fill(0);
    networks.forEach((network, index) => {
      const column = index % perRow;
      const x = 1 + column * (box + 70);
      const y = bottoms[column];
      boxes.push(this.box(network, facts, x, y, box, ends));
      bottoms[column] += 40 + network.interfaces.length * LINE + 16;
    });
    const height = Math.max(20, ...bottoms);
    this.picture.replaceChildren(...this.cables(networks, ends), ...boxes);
    this.picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.picture.setAttribute("height", height);
    this.alone.hidden = networks.length > 1;
    const name = (network) => this.name(network, facts);
    const rows = (part, key, cells) => networks.flatMap((network) => network[part].map((one) => ({ key: `${network.ns}:${key(one)}`, type: "net", cells: [name(network), ...cells(one)] })));
    fillTable(this.links, rows("interfaces", (one) => one.index, (one) => [one.name, one.kind, one.is_up ? this.words.up : this.words.down, one.addresses.join(", "), one.bridge, one.mac, one.mtu]));
    fillTable(this.routes, rows("routes", (one) => one.destination + one.interface, (one) => [one.destination, one.gateway || "–", one.interface]));
    fillTable(this.sockets, rows("listening", (one) => `${one.protocol}${one.address}${one.port}`, (one) => [one.protocol, one.address, one.port]));
  }

  name(network, facts) {
    if (network.is_sandbox) return this.words.sandbox;
    const space = facts.namespaces?.[`net:${network.ns}`];
    return space?.kept[0] ?? (space?.members.map((pid) => facts.processes?.[pid]?.comm).find(Boolean) || `net:[${network.ns}]`);
  }

  box(network, facts, x, y, width, ends) {
    const lines = network.interfaces.map((one, index) => {
      const top = y + 34 + index * LINE;
      ends.set(`${network.ns}:${one.index}`, { left: x, right: x + width, y: top + 9 });
      const text = [one.name, one.kind === "veth" || one.kind === "loopback" ? "" : one.kind, one.addresses.join(" "), one.bridge ? `→ ${one.bridge}` : "", one.is_up ? "" : this.words.down].filter(Boolean).join("  ");
      return svg("g", { class: `link${one.is_up ? " up" : ""}${one.kind === "bridge" ? " bridge" : ""}` },
        svg("rect", { x: x + 8, y: top, width: width - 16, height: LINE - 4, rx: 5 }), svg("text", { x: x + 16, y: top + 14 }, cut(text, Math.floor((width - 32) / 7.2))));
    });
    return svg("g", { class: "space ns-net" }, svg("rect", { x, y: y + 1, width, height: 40 + network.interfaces.length * LINE, rx: 8 }),
      svg("text", { x: x + 12, y: y + 22, class: "id" }, cut(this.name(network, facts), Math.floor(width / 8))), ...lines);
  }

  cables(networks, ends) {
    const drawn = new Set();
    return networks.flatMap((network) => network.interfaces.filter((one) => one.peer_ns).flatMap((one) => {
      const [from, to] = [`${network.ns}:${one.index}`, `${one.peer_ns}:${one.peer_index}`];
      const key = [from, to].sort().join();
      if (drawn.has(key) || !ends.has(from) || !ends.has(to)) return [];
      drawn.add(key);
      const [a, b] = [ends.get(from), ends.get(to)].sort((one_, other) => one_.left - other.left);
      const middle = a.left === b.left ? a.right - 4 : (a.right + b.left) / 2;
      const end = a.left === b.left ? b.right - 8 : b.left + 8;
      return [svg("path", { class: "cable", d: `M ${a.right - 8} ${a.y} C ${middle + 20} ${a.y}, ${middle} ${b.y}, ${end} ${b.y}` })];
    }));
  }
}
