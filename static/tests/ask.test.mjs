// Asking the facts in the page, in the words that the worker knows.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, fill, isTrue, partOf, vocabulary } from "../src/js/xray/ask.js";

const MACHINE = { init: 100, processes: { 200: { pid: 200, comm: "bash", started_seconds: 5, ns: { pid: 8 }, memory_bytes: 5 << 20 },
  100: { pid: 100, comm: "init", started_seconds: 0, ns: { pid: 7 } } } };
const facts = vocabulary(MACHINE);

test("the wire's objects are lists again, the oldest process first, and init is whole", () => {
  assert.deepEqual(ask("processes[].comm", facts), ["init", "bash"]);
  assert.equal(ask("init.comm", facts), "init");
  assert.deepEqual(ask("mounts", facts), []);
  assert.equal(vocabulary(MACHINE), facts, "made once for each document");
});

test("$ reaches the whole document from inside a filter, and not from inside a text", () => {
  assert.deepEqual(ask("processes[?ns.pid != $init.ns.pid].comm", facts), ["bash"]);
  assert.deepEqual(ask("processes[?comm == '$init.comm']", facts), []);
  assert.equal(ask("$no.such.thing", facts), null);
});

test("what can't be answered is null", () => {
  assert.equal(ask("processes[?", facts), null);
});

test("truth is JMESPath's", () => {
  for (const value of [null, false, "", [], {}]) assert.equal(isTrue(value), false);
  for (const value of [0, true, "x", [0], { a: null }]) assert.equal(isTrue(value), true);
});

test("texts are filled as the worker fills them", () => {
  assert.equal(fill("{comm}: {pid}, {memory_bytes:MiB} {$init.pid}", facts.processes[1], facts), "bash: 200, 5 MiB 100");
});

test("a bar is a part of a whole, and never longer", () => {
  assert.equal(partOf("init.pid", "`400`", facts), 0.25);
  assert.equal(partOf("init.pid", "`50`", facts), 1);
  for (const whole of ["`0`", "init.comm", "cgroups[0].memory.limit_bytes", "no["]) assert.equal(partOf("init.pid", whole, facts), null);
  assert.equal(partOf("init.comm", "`5`", facts), null);
});
