// The sums of the things to play with, against the same golden file as the server's.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fill, firstFit, plan } from "../src/js/widgets/sums.js";

const golden = JSON.parse(readFileSync(new URL("../../tests/golden/widgets.json", import.meta.url)));

test("a plan is as in the golden file", () => {
  for (const { needed, saved, ...values } of golden.plan) {
    const found = plan(values);
    assert.deepEqual([found.needed, found.saved], [needed, saved]);
  }
});

test("machines are placed as in the golden file", () => {
  for (const { sizes, room, hosts, found } of golden.first_fit) assert.deepEqual(firstFit(sizes, room, hosts), found);
});

test("words take numbers, zero too, and keep what they don't know", () => {
  assert.equal(fill("{a} of {b} {c}", { a: 0, b: 2 }), "0 of 2 {c}");
});
