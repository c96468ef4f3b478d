// Guessing echoes, against a line that echoes with delay: what is shown is what comes, or nothing is shown.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prediction } from "../src/js/terminal/prediction.js";
import { RoundTrip } from "../src/js/terminal/round-trip.js";

const COLS = 20;

// A terminal of rows, with a shell's line editor behind a slow line: ``type`` sends, ``come`` lets echoes arrive.
function line({ ms = 200, start = 2 } = {}) {
  const made = { x: start, y: 0, rows: ["$ "], type: (text) => made.prediction.typed(text), shown: "", isNormal: true };
  const screen = () => ({ x: made.x, y: made.y, cols: COLS, isNormal: made.isNormal, isBlankBehind: !(made.rows[made.y] ?? "").slice(made.x).trim(),
    letterAt: (x, y) => (made.rows[y] ?? "")[x] || " " });
  made.due = new Set();
  made.prediction = new Prediction({ screen, roundTrip: () => ms, show: (guesses) => { made.shown = guesses.map(({ letter }) => letter).join(""); },
    now: () => 0, clock: { setTimeout: (work) => { made.due.add(work); return work; }, clearTimeout: (work) => made.due.delete(work) } });
  made.come = (text) => {
    for (const letter of text) {
      made.rows[made.y] = (made.rows[made.y] ?? "").padEnd(made.x).slice(0, made.x) + letter + (made.rows[made.y] ?? "").slice(made.x + 1);
      made.x += 1;
    }
    made.prediction.parsed();
  };
  made.prediction.prompt();
  return made;
}
const typed = (made, text) => { for (const letter of text) made.type(letter); };

test("nothing is shown before the first letter has come back, then what is on its way", () => {
  const made = line();
  typed(made, "ls");
  assert.equal(made.shown, "");
  made.come("l");
  assert.equal(made.shown, "s");
  typed(made, " -l");
  assert.equal(made.shown, "s -l");
  made.come("s -");
  assert.equal(made.shown, "l");
  made.come("l");
  assert.deepEqual([made.shown, made.prediction.right, made.prediction.wrong], ["", 4, 0]);
});

test("a line that is not slow shows nothing early", () => {
  for (const [ms, shown] of [[60, ""], [61, "s"], [null, ""]]) {
    const made = line({ ms });
    made.type("l");
    made.come("l");
    made.type("s");
    assert.equal(made.shown, shown);
  }
});

test("without an echo nothing is ever shown, and it is given up", () => {
  const made = line();
  typed(made, "secret");
  for (const work of [...made.due]) work();
  typed(made, "more");
  assert.deepEqual([made.shown, made.prediction.wrong], ["", 0]);
});

test("nothing is guessed while a command runs", () => {
  const made = line();
  made.type("x");
  made.come("x");
  made.type("\r");
  made.prediction.runs();
  typed(made, "password");
  made.come("p");
  assert.equal(made.shown, "");
});

test("what was typed ahead of a prompt belongs to it, and the prompts that take it are left alone", () => {
  const made = line();
  made.type("\r");
  made.prediction.runs();
  typed(made, "read -s p\r");
  made.prediction.prompt();
  typed(made, "rea");
  made.come("rea");
  typed(made, "l secret");
  assert.equal(made.shown, "");
  made.type("\r");
  made.prediction.runs();
  made.prediction.prompt();
  made.type("a");
  made.come("a");
  made.type("b");
  assert.equal(made.shown, "b");
});

test("a line that was edited does not spoil the next prompt", () => {
  const made = line();
  typed(made, "a\tb\x1b[Dc\r");
  made.prediction.runs();
  made.prediction.prompt();
  made.x = 2;
  made.rows[0] = "$ ";
  made.type("a");
  made.come("a");
  made.type("b");
  assert.equal(made.shown, "b");
});

test("another letter than the guessed one ends it at once", () => {
  const made = line();
  made.type("a");
  made.come("a");
  typed(made, "bcd");
  made.come("X");
  assert.deepEqual([made.shown, made.prediction.wrong], ["", 3]);
  typed(made, "more");
  assert.equal(made.shown, "");
});

test("a backspace takes the last guess away and ends guessing on this line", () => {
  const made = line();
  made.type("a");
  made.come("a");
  typed(made, "bc\x7f");
  assert.equal(made.shown, "b");
  typed(made, "\x7f");
  assert.equal(made.shown, "");
  typed(made, "d");
  assert.equal(made.shown, "");
  assert.equal(made.prediction.wrong, 0);
});

for (const [what, text] of [["an arrow", "\x1b[A"], ["a paste", "two"], ["a wide letter", "語"], ["Tab", "\t"], ["Ctrl-R", "\x12"]]) {
  test(`${what} ends guessing until the next prompt`, () => {
    const made = line();
    made.type("a");
    made.come("a");
    made.type(text);
    made.type("b");
    assert.equal(made.shown, "");
    made.prediction.prompt();
    made.type("c");
    made.come("c");
    made.type("d");
    assert.equal(made.shown, "d");
  });
}

test("the last column is left alone, for there a line wraps", () => {
  const made = line();
  made.type("0");
  made.come("0");
  typed(made, "123456789abcdefghijk");
  assert.equal(made.shown.length, COLS - 1 - 3);
});

test("inside a line, and on the other screen, nothing is guessed", () => {
  const inside = line();
  inside.rows[0] = "$ abc";
  inside.type("x");
  inside.come("x");
  inside.type("y");
  assert.equal(inside.shown, "");
  const other = line();
  other.isNormal = false;
  typed(other, "jj");
  other.come("j");
  assert.equal(other.shown, "");
});

test("the round trip follows the acknowledgements and ignores what was sent again", () => {
  const trip = new RoundTrip();
  assert.equal(trip.ms, null);
  trip.note(1, 100);
  trip.note(2, 110);
  trip.received(1, 300);
  assert.equal(trip.ms, 200);
  trip.received(2, 310);
  assert.equal(trip.ms, 200);
  trip.note(3, 400);
  trip.forget();
  trip.received(3, 9000);
  assert.equal(trip.ms, 200);
});
