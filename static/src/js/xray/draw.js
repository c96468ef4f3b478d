// Making elements and text of facts. Everything from a sandbox goes in as text, never as markup.
const SVG = "http://www.w3.org/2000/svg";

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export function html(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export function bytes(count) {
  if (count === undefined || count === null) return "–";
  if (count < 1024) return `${count} B`;
  const step = Math.min(3, Math.floor(Math.log2(count) / 10));
  const value = count / 1024 ** step;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${["B", "KiB", "MiB", "GiB"][step]}`;
}

export const clockTime = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

export const cut = (text, most) => (text.length > most ? `${text.slice(0, Math.max(1, most - 1))}…` : text);

// Rows of a table body by key: what stays keeps its elements, so that focus and selection live through an update.
// Without rows it says in the table's own words why there are none.
export function fillTable(body, rows) {
  if (!rows.length && body.dataset.nothing) {
    if (body.querySelector(".nothing")) return;
    body.replaceChildren(html("tr", {}, html("td", { class: "nothing", colspan: body.parentElement.tHead.rows[0].cells.length }, body.dataset.nothing)));
    return;
  }
  body.querySelector(".nothing")?.parentElement.remove();
  const known = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  rows.forEach(({ key, cells, type }, index) => {
    const row = known.get(key) ?? html("tr", { "data-key": key, class: type ? `ns-${type}` : undefined });
    known.delete(key);
    cells.forEach((text, column) => {
      const cell = row.cells[column] ?? row.insertCell();
      if (cell.textContent !== String(text)) cell.textContent = text;
    });
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
  });
  for (const row of known.values()) row.remove();
}

// A picture's parts by key: what stays keeps its elements, so that focus and a press of the mouse live through a redraw.
export function redraw(picture, parts) {
  const wanted = new Set(parts.map((part) => part.dataset.key));
  const known = new Map([...picture.children].map((one) => [one.dataset.key, one]));
  for (const [key, one] of known) if (!wanted.has(key)) one.remove();
  parts.forEach((part, index) => {
    const one = known.get(part.dataset.key) ?? part;
    if (one !== part) become(one, part);
    if (picture.children[index] !== one) picture.insertBefore(one, picture.children[index] ?? null);
  });
}

function become(one, other) {
  if (one.nodeType === Node.TEXT_NODE) {
    if (one.data !== other.data) one.data = other.data;
    return;
  }
  for (const { name, value } of other.attributes) if (name !== "tabindex" && one.getAttribute(name) !== value) one.setAttribute(name, value);
  if (one.childNodes.length !== other.childNodes.length) one.replaceChildren(...other.childNodes);
  else one.childNodes.forEach((child, index) => become(child, other.childNodes[index]));
}

// Arrow keys move between the focusable parts of a picture; only one of them is a stop of the Tab key.
export function roving(picture, selector) {
  const parts = () => [...picture.querySelectorAll(selector)];
  picture.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const all = parts();
    const at = all.indexOf(document.activeElement);
    if (!by || at < 0) return;
    event.preventDefault();
    all[(at + by + all.length) % all.length].focus();
  });
  picture.addEventListener("focusin", () => stops(parts()));
  return () => stops(parts());
}

function stops(all) {
  const current = all.includes(document.activeElement) ? document.activeElement : all.find((one) => one.getAttribute("tabindex") === "0") ?? all[0];
  for (const one of all) one.setAttribute("tabindex", one === current ? "0" : "-1");
}
