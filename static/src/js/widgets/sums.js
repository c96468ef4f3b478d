// The same sums as labs/widgets.py, without a page: tests/golden/widgets.json holds both to the same answers.
export function plan({ servers, busy, target, cost }) {
  const needed = Math.max(2, Math.ceil((servers * busy) / target - 1e-9));
  return { needed, fewer: servers - needed, before: servers * cost, after: needed * cost,
    saved: (servers - needed) * cost, newBusy: (servers * busy) / needed };
}

// The host of each size, from 0, the largest first; null where nothing fits.
export function firstFit(sizes, room, hosts) {
  const free = Array(hosts).fill(room);
  const found = sizes.map(() => null);
  const order = sizes.map((size, at) => at).sort((one, other) => sizes[other] - sizes[one] || one - other);
  for (const at of order) {
    const host = free.findIndex((left) => left >= sizes[at]);
    if (host < 0) continue;
    free[host] -= sizes[at];
    found[at] = host;
  }
  return found;
}

export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
