// The facts as the page holds them, without a page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { applyPatch, decodeFrame, enterCommand, newsBetween, processesInOrder, rate } from "../src/js/xray/document.js";

test("a frame is a version, a kind and JSON", () => {
  const frame = Uint8Array.from([0, 0, 0, 0, 0, 0, 1, 2, 2, ...new TextEncoder().encode('{"a":"ü"}')]);
  assert.deepEqual(decodeFrame(frame.buffer), { version: 258, kind: 2, body: { a: "ü" } });
});

test("a patch changes, adds and removes, and leaves the old document as it was", () => {
  const old = { a: 1, b: { c: 2, d: [1, 2] }, e: 3 };
  const frozen = structuredClone(old);
  assert.deepEqual(applyPatch(old, { a: null, b: { c: 5, d: [9] }, f: { g: 1 } }), { b: { c: 5, d: [9] }, e: 3, f: { g: 1 } });
  assert.deepEqual(old, frozen);
  assert.equal(applyPatch(old, { f: 1 }).b, old.b, "what has not changed is shared");
  assert.deepEqual(applyPatch({ a: [1] }, { a: { b: 1 } }), { a: { b: 1 } });
});

const process = (pid, ppid, more = {}) => ({ pid, ppid, started_seconds: pid, comm: "x", ...more });

test("children stand behind their parents, the oldest first, and orphans at the top", () => {
  const facts = { processes: { 9: process(9, 5), 5: process(5, 1), 7: process(7, 99), 6: process(6, 1), 1: process(1, 0) } };
  assert.deepEqual(processesInOrder(facts).map(({ pid, level }) => [pid, level]), [[1, 0], [5, 1], [9, 2], [6, 1], [7, 0]]);
  assert.deepEqual(processesInOrder({}), []);
});

const group = (kills, refused, waited) => ({ path: "/a", memory: { oom_kills: kills, limit_bytes: 5 }, pids: { refused, limit: 7 }, cpu: { throttled_seconds: waited, limit_cpus: 0.5 } });

test("news are what came and went, and where the kernel acted", () => {
  const before = { processes: { 1: process(1, 0) }, cgroups: { "/a": group(0, 0, 0) } };
  const after = { processes: { 2: process(2, 0) }, cgroups: { "/a": group(1, 1, 0.2) }, namespaces: { "uts:5": { type: "uts", id: 5 } } };
  assert.deepEqual(newsBetween(before, after).map(({ kind }) => kind), ["namespace-new", "process-new", "process-gone", "oom", "refused", "throttled"]);
  assert.deepEqual(newsBetween(after, after), []);
});

test("the way into a namespace is by a member, else by what keeps it", () => {
  const facts = { processes: { 500: process(500, 0, { pid_sandbox: 12 }) } };
  assert.equal(enterCommand({ type: "mnt", members: [500], kept: [] }, facts), "nsenter --target 12 --mount");
  assert.equal(enterCommand({ type: "net", members: [], kept: ["/run/netns/red"] }, facts), "nsenter --net=/run/netns/red");
  assert.equal(enterCommand({ type: "uts", members: [], kept: ["/run/a'; rm -rf /"] }, facts), "nsenter --uts='/run/a'\\''; rm -rf /'");
  assert.equal(enterCommand({ type: "pid", members: [], kept: [] }, facts), "");
});

test("a rate needs a sample before, and a counter that fell gives none", () => {
  assert.equal(rate(undefined, 5, 1), null);
  assert.equal(rate(1, 3, 0), null);
  assert.equal(rate(1, 3, 2), 1);
  assert.equal(rate(3, 1, 1), 0);
});
