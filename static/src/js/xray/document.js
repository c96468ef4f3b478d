// The facts as the page holds them: whole documents and merge patches (RFC 7396), never changed in place, so that the
// time line may keep every one at the price of what has changed. DOM-free; tested by static/tests/xray.test.mjs.
export const KINDS = { whole: 1, patch: 2, remark: 3 };

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

// What a person would call news between two documents of one machine: for the time line.
export function newsBetween(before, after) {
  const news = [];
  const compare = (part, came, went) => {
    for (const [key, one] of Object.entries(after[part] ?? {})) if (!before[part]?.[key]) news.push({ kind: came, ...naming(part, one) });
    for (const [key, one] of Object.entries(before[part] ?? {})) if (!after[part]?.[key]) news.push({ kind: went, ...naming(part, one) });
  };
  compare("namespaces", "namespace-new", "namespace-gone");
  compare("processes", "process-new", "process-gone");
  compare("engines", "engine-new", "engine-gone");
  compare("cgroups", "group-new", "group-gone");
  for (const [path, group] of Object.entries(after.cgroups ?? {})) {
    const old = before.cgroups?.[path];
    if (!old) continue;
    const around = after.cgroups["/.."] ?? group;
    if (group.memory.oom_kills > old.memory.oom_kills) news.push({ kind: "oom", what: path, limit: group.memory.limit_bytes ?? around.memory.limit_bytes });
    if (group.pids.refused > old.pids.refused) news.push({ kind: "refused", what: path, limit: group.pids.limit ?? around.pids.limit });
    if (group.cpu.throttled_seconds - old.cpu.throttled_seconds > 0.05) news.push({ kind: "throttled", what: path, limit: group.cpu.limit_cpus });
  }
  return news;
}

function naming(part, one) {
  if (part === "processes") return { what: `${one.comm} ${one.pid}`, type: "pid" };
  if (part === "namespaces") return { what: `${one.type}:[${one.id}]`, type: one.type };
  return { what: one.path ?? `${one.kind} ${one.name}`, type: part };
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
