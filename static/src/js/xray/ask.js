// JMESPath over the facts in the page, in the words of docs/facts.md: the wire's objects by key become lists again.
import { search } from "jmespath";

const LISTS = ["processes", "namespaces", "cgroups", "mounts", "layers", "changes", "networks", "engines"];
const QUOTED_OR_VARIABLE = /'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`|\$([a-z_]+(?:\.[a-z_]+)*)/g;
const PLACEHOLDER = /\{([^{}]+?)(?::(KiB|MiB|GiB))?\}/g;
const UNITS = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
const known = new WeakMap();

export function vocabulary(machine) {
  if (!known.has(machine)) {
    const facts = { ...machine };
    for (const name of LISTS) facts[name] = Object.values(machine[name] ?? {});
    facts.processes.sort((a, b) => a.started_seconds - b.started_seconds || a.pid - b.pid);
    facts.init = machine.processes?.[machine.init] ?? null;
    known.set(machine, facts);
  }
  return known.get(machine);
}

// null for what can't be answered: the linter has read the expression, so only the facts can be missing.
export function ask(expression, facts, of = facts) {
  const plain = expression.replace(QUOTED_OR_VARIABLE, (whole, path) => (path === undefined ? whole
    : `\`${JSON.stringify(path.split(".").reduce((value, name) => value?.[name] ?? null, facts)).replaceAll("`", "\\`")}\``));
  try { return search(of, plain) ?? null; } catch { return null; }
}

export const isTrue = (value) => !(value === null || value === false || value === "" || (typeof value === "object" && !Object.keys(value).length));

// How much of the whole a bar shows, from 0 to 1; null where the facts don't say both.
export function partOf(part, whole, facts) {
  const [some, all] = [ask(part, facts), ask(whole, facts)];
  return typeof some === "number" && all > 0 ? Math.min(Math.max(some / all, 0), 1) : null;
}

export function fill(text, found, facts) {
  return text.replace(PLACEHOLDER, (_, expression, unit) => {
    const value = ask(expression, facts, found);
    if (unit && typeof value === "number") return `${Math.round(value / UNITS[unit])} ${unit}`;
    return typeof value === "string" ? value : JSON.stringify(value);
  });
}
