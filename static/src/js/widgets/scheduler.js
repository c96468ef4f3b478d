// Machines on hosts: choose a host for each, or let it be done by promise or by use; then let the busy hour come.
import { fill, firstFit } from "./sums.js";

export function startScheduler(widget) {
  const rows = [...widget.querySelectorAll("[data-machine]")];
  const hosts = [...widget.querySelectorAll("[data-host]")];
  const list = widget.querySelector("[data-hosts]");
  const result = widget.querySelector("[data-result]");
  const rush = widget.querySelector("[data-rush]");
  const room = Number(list.dataset.room);
  const size = (row, kind) => Number(row.dataset[kind]);
  const choice = (row) => row.querySelector("select");
  const sum = (some, kind) => some.reduce((total, row) => total + size(row, kind), 0);

  const show = () => {
    for (const host of hosts) {
      const here = rows.filter((row) => choice(row).value === host.dataset.host);
      const promised = sum(here, "promised");
      const used = rush.checked ? promised : sum(here, "used");
      const words = !here.length ? "off" : used > room ? "full" : promised > room ? "over" : "fits";
      host.dataset.state = words;
      host.querySelector("meter").value = Math.min(used, room);
      host.querySelector("[data-words]").textContent = fill(result.dataset[words], { used, room, promised });
    }
    result.textContent = fill(result.dataset.text, { hosts: hosts.filter((host) => host.dataset.state !== "off").length,
      homeless: rows.filter((row) => !choice(row).value).length });
  };
  const place = (kind) => {
    const found = firstFit(rows.map((row) => size(row, kind)), room, hosts.length);
    rows.forEach((row, at) => { choice(row).value = found[at] === null ? "" : String(found[at] + 1); });
    show();
  };
  for (const part of widget.querySelectorAll("[data-fields], [data-hosts]")) part.hidden = false;
  for (const part of widget.querySelectorAll("[data-static]")) part.hidden = true;
  for (const row of rows) choice(row).addEventListener("change", show);
  for (const button of widget.querySelectorAll("[data-place]")) button.addEventListener("click", () => place(button.dataset.place));
  rush.addEventListener("change", show);
  show();
}
