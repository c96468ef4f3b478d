// The DOM-free half of the terminal: credit, input log and codec.
import assert from "node:assert/strict";
import { test } from "node:test";
import { clampSize, decode, encode, Frame, FROM_RING_START, MAX_INPUT_BYTES } from "../src/js/terminal/codec.js";
import { Credit } from "../src/js/terminal/flow.js";
import { InputLog } from "../src/js/terminal/input-log.js";
import { Liveness } from "../src/js/terminal/liveness.js";

const hex = (frame) => Buffer.from(frame).toString("hex");
const reasonOf = (bytes) => { try { decode(bytes); } catch (error) { return error.reason; } };

test("a greeting is laid out as protocol.py lays it out", () => {
  const frame = encode(Frame.HELLO, [1, 0, 7n, FROM_RING_START, 24, 80]);
  assert.equal(hex(frame), "0101000000000000000007ffffffffffffffff00180050");
  assert.deepEqual(decode(frame).fields, [1, 0, 7n, FROM_RING_START, 24, 80]);
});

test("an exit status may be negative", () => {
  assert.deepEqual(decode(encode(Frame.EXIT, [5, -9])).fields, [5n, -9]);
});

test("input is refused one byte over its bound and not at it", () => {
  const frame = (length) => encode(Frame.INPUT, [0], new Uint8Array(length));
  assert.equal(reasonOf(frame(MAX_INPUT_BYTES)), undefined);
  assert.equal(reasonOf(frame(MAX_INPUT_BYTES + 1)), "too-large");
  assert.equal(reasonOf(frame(0)), "wrong-length");
});

test("bad frames are named", () => {
  assert.equal(reasonOf(new Uint8Array()), "empty");
  assert.equal(reasonOf(new Uint8Array([0x7f])), "unknown-type");
  assert.equal(reasonOf(new Uint8Array([Frame.ACK, 1])), "wrong-length");
});

test("a size is bounded to 1..500", () => assert.deepEqual(clampSize(0, 501), [1, 500]));

test("input is sent again from what was received, and never before it", () => {
  const log = new InputLog();
  log.add(new TextEncoder().encode("hello"));
  assert.equal(log.next()[0], 0);
  assert.equal(log.next(), null);
  log.received(2);
  log.rewind();
  const [offset, bytes] = log.next();
  assert.equal(offset, 2);
  assert.equal(new TextDecoder().decode(bytes), "llo");
});

test("a long paste waits for its acknowledgements", () => {
  const log = new InputLog();
  log.add(new Uint8Array(100 * 1024));
  let sent = 0;
  while (log.next()) sent += 1;
  assert.equal(sent, 4);
  log.received(MAX_INPUT_BYTES);
  assert.equal(log.next()[0], 4 * MAX_INPUT_BYTES);
});

test("credit is told at 32 KiB at once, and what is less when output pauses", () => {
  const told = [];
  let idle;
  const credit = new Credit((offset) => told.push(offset), (callback) => { idle = callback; });
  credit.advance(32 * 1024 - 1);
  assert.deepEqual(told, []);
  credit.advance(32 * 1024);
  assert.deepEqual(told, [32768]);
  credit.advance(40000);
  idle();
  assert.deepEqual(told, [32768, 40000]);
});

test("what a terminal answers by itself is told from keys", async () => {
  const { isAnswer } = await import("../src/js/terminal/answers.js");
  for (const text of ["\x1b[?1;2c", "\x1b[>0;276;0c", "\x1b[0n", "\x1b[12;40R", "\x1b[?2026;2$y", "\x1b[8;24;80t",
    "\x1b]11;rgb:ff/ff/ff\x1b\\", "\x1bP1$r0m\x1b\\", "\x1b[?1;2c\x1b[0n"]) assert.ok(isAnswer(text), JSON.stringify(text));
  for (const text of ["a", "1;2c", "\x1b", "\x1b[A", "\x1b[3~", "\x1b[1;5C", "\x1bOP", "\x1b[200~pasted\x1b[201~", "\x1b[Z", "\r"]) {
    assert.ok(!isAnswer(text), JSON.stringify(text));
  }
});

// A clock that is wound by hand.
function wound() {
  const due = new Set();
  const clock = { at: 0 };
  const add = (work, ms, every) => { const one = { at: clock.at + ms, work, every }; due.add(one); return one; };
  Object.assign(clock, {
    now: () => clock.at, setTimeout: (work, ms) => add(work, ms), setInterval: (work, ms) => add(work, ms, ms),
    clearTimeout: (one) => due.delete(one), clearInterval: (one) => due.delete(one),
    wind(ms) {
      const until = clock.at + ms;
      for (let one = first(due, until); one; one = first(due, until)) {
        clock.at = one.at;
        if (one.every) one.at += one.every; else due.delete(one);
        one.work();
      }
      clock.at = until;
    },
  });
  return clock;
}
const first = (due, until) => [...due].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];

function living(isLooked = true) {
  const clock = wound();
  const said = [];
  const life = new Liveness({ ping: () => said.push("ping"), lost: () => said.push("lost"), greet: () => said.push("greet"),
    isLooked: () => isLooked, clock, now: clock.now });
  life.start();
  return { clock, said, life };
}

test("a line that answers nothing is lost six seconds after a key, and no sooner", () => {
  const { clock, said, life } = living();
  clock.wind(100);
  life.expect(() => 0);
  clock.wind(1999);
  assert.deepEqual(said, []);
  clock.wind(1);
  assert.deepEqual(said, ["ping"]);
  clock.wind(3999);
  assert.deepEqual(said, ["ping"]);
  clock.wind(1);
  assert.deepEqual(said, ["ping", "lost"]);
});

test("a line that answers the ping lives, and what it did not take is asked for once", () => {
  const { clock, said, life } = living();
  clock.wind(100);
  life.expect(() => 5);
  clock.wind(2000);
  life.hear();
  for (let second = 0; second < 20; second += 1) {
    clock.wind(1000);
    life.hear();
  }
  assert.deepEqual(said, ["ping", "greet"]);
});

test("what is received in time asks nothing", () => {
  const { clock, said, life } = living();
  let waiting = 0;
  life.expect(() => waiting);
  clock.wind(500);
  life.hear();
  waiting = null;
  clock.wind(20000);
  assert.deepEqual(said, []);
});

test("a quiet line is asked while somebody looks, and only then", () => {
  const looked = living(true);
  looked.clock.wind(25000);
  assert.deepEqual(looked.said, ["ping"]);
  const away = living(false);
  away.clock.wind(600000);
  assert.deepEqual(away.said, []);
});

test("after the end nothing is due", () => {
  const { clock, said, life } = living();
  life.doubt();
  life.expect(() => 0);
  life.stop();
  clock.wind(600000);
  assert.deepEqual(said, ["ping"]);
});
