// The DOM-free half of the terminal: credit, input log and codec.
import assert from "node:assert/strict";
import { test } from "node:test";
import { clampSize, decode, encode, Frame, FROM_RING_START, MAX_INPUT_BYTES } from "../src/js/terminal/codec.js";
import { Credit } from "../src/js/terminal/flow.js";
import { InputLog } from "../src/js/terminal/input-log.js";

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
