// The facts as the page holds them: whole documents and merge patches (RFC 7396), never changed in place, so that the
// time line may keep every one at the price of what has changed. DOM-free; tested by static/tests/xray.test.mjs.
export const KINDS = { whole: 1, patch: 2, remark: 3, history: 4 };

export function decodeFrame(buffer) {
  const view = new DataView(buffer);
  const body = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 9)));
  return { version: Number(view.getBigUint64(0)), kind: view.getUint8(8), body };
}

export function applyPatch(document, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const changed = { ...(document !== null && typeof document === "object" && !Array.isArray(document) ? document : {}) };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete changed[name];
    else changed[name] = applyPatch(changed[name], value);
  }
  return changed;
}

export const list = (keyed) => Object.values(keyed ?? {});

export function processesInOrder(facts) {
  const all = list(facts.processes);
  const known = new Map(all.map((one) => [one.pid, one]));
  const children = Map.groupBy ? Map.groupBy(all, (one) => (known.has(one.ppid) ? one.ppid : 0)) : grouped(all, known);
  const ordered = [];
  const walk = (parent, level) => {
    const mine = (children.get(parent) ?? []).sort((a, b) => a.started_seconds - b.started_seconds || a.pid - b.pid);
    for (const one of mine) {
      ordered.push({ ...one, level });
      walk(one.pid, level + 1);
    }
  };
  walk(0, 0);
  return ordered;
}

function grouped(all, known) {
  const groups = new Map();
  for (const one of all) {
    const parent = known.has(one.ppid) ? one.ppid : 0;
    groups.set(parent, [...(groups.get(parent) ?? []), one]);
  }
  return groups;
}

// The documents before the panel was opened, from the worker's coarse frames: [{at, facts, isCoarse}], the oldest first.
// Times are the worker's; its clock is told with them, and the page's own may be another.
export function pastOf({ now, frames }, here) {
  let machines = {};
  return frames.map(([at, patch]) => {
    machines = applyPatch(machines, patch);
    return { at: at + here - now, facts: { machines }, isCoarse: true };
  });
}

// Both in order of time; a coarse document beside one that the page has seen itself is left out.
export function joined(past, seen, nearMs = 3000) {
  const missing = past.filter(({ at }) => !seen.some((one) => Math.abs(one.at - at) < nearMs));
  return [...missing, ...seen].sort((a, b) => a.at - b.at);
}

// The command that enters a namespace from the sandbox's own shell.
export function enterCommand(space, facts) {
  const flag = { pid: "--pid", mnt: "--mount", net: "--net", uts: "--uts", ipc: "--ipc", user: "--user", cgroup: "--cgroup", time: "--time" }[space.type];
  const member = space.members.map((pid) => facts.processes?.[pid]).find(Boolean);
  if (member) return `nsenter --target ${member.pid_sandbox} ${flag}`;
  return space.kept.length ? `nsenter ${flag}=${/^[\w./-]+$/.test(space.kept[0]) ? space.kept[0] : `'${space.kept[0].replaceAll("'", "'\\''")}'`}` : "";
}

// Use per second between two samples of a counter; null for none.
export function rate(before, after, seconds) {
  return before === undefined || seconds <= 0 ? null : Math.max(0, (after - before) / seconds);
}
