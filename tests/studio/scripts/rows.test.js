import assert from "node:assert/strict";
import { test } from "node:test";
import { besideInRow } from "../../../var_studio/static/scripts/shared/rows.js";

test("arrows go along a row, and around its ends", () => {
  const row = ["one", "two", "three"];
  assert.equal(besideInRow(row, "one", "ArrowRight"), "two");
  assert.equal(besideInRow(row, "one", "ArrowLeft"), "three");
  assert.equal(besideInRow(row, "three", "ArrowDown"), "one");
  assert.equal(besideInRow(row, "three", "ArrowUp"), "two");
});

test("other keys lead nowhere, and nothing leads out of another row", () => {
  assert.equal(besideInRow(["one"], "one", "Enter"), null);
  assert.equal(besideInRow([], "one", "ArrowRight"), null);
});
