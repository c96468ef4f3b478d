// The facts as the page holds them, without a page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { applyPatch, decodeFrame, enterCommand, joined, pastOf, processesInOrder, rate } from "../src/js/xray/document.js";

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

test("the past is rebuilt from its frames, in the page's own time", () => {
  const past = pastOf({ now: 9000, frames: [[1000, { box: { a: 1, b: 2 } }], [5000, { box: { b: null } }]] }, 10000);
  assert.deepEqual(past, [{ at: 2000, facts: { machines: { box: { a: 1, b: 2 } } }, isCoarse: true }, { at: 6000, facts: { machines: { box: { a: 1 } } }, isCoarse: true }]);
  assert.deepEqual(pastOf({ now: 1, frames: [] }, 1), []);
});

test("what the page has seen itself counts before what was kept", () => {
  const at = (time, isCoarse) => ({ at: time, isCoarse });
  assert.deepEqual(joined([at(1000, true), at(8000, true), at(20000, true)], [at(9000), at(10000), at(30000)]),
    [at(1000, true), at(9000), at(10000), at(20000, true), at(30000)]);
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
