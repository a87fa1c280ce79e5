import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cellBeside,
  cellUnder,
  clamp,
  fractionAlong,
  fractionsIn,
  inPixels,
  nextBrushSize,
  rectangleBetween,
  tipPosition,
} from "../../../var_studio/static/scripts/shared/geometry.js";

const BOX = { left: 100, top: 50, width: 200, height: 400 };

test("a value out of range becomes the nearer end", () => {
  assert.deepEqual(
    [-1, 2, 7].map((value) => clamp(value, 0, 5)),
    [0, 2, 5],
  );
});

test("a point outside a box counts as on its edge", () => {
  assert.equal(fractionAlong(50, 100, 200), 0);
  assert.deepEqual(fractionsIn(BOX, 150, 999), [0.25, 1]);
});

test("cells are counted row by row, and the last edge belongs to the last cell", () => {
  assert.equal(cellUnder(BOX, 4, 100, 50), 0);
  assert.equal(cellUnder(BOX, 4, 199, 50), 1);
  assert.equal(cellUnder(BOX, 4, 200, 150), 6);
  assert.equal(cellUnder(BOX, 4, 300, 450), 15);
});

test("arrows lead to the cell beside, and not beyond the map", () => {
  assert.deepEqual(
    ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Enter"].map((key) => cellBeside(4, 3, key)),
    [3, 5, 1, 7, 4],
  );
  assert.equal(cellBeside(0, 3, "ArrowLeft"), 0);
  assert.equal(cellBeside(0, 3, "ArrowUp"), 0);
  assert.equal(cellBeside(8, 3, "ArrowRight"), 8);
  assert.equal(cellBeside(8, 3, "ArrowDown"), 8);
});

test("a rectangle is the same whichever corner it is drawn from", () => {
  const wanted = [0.2, 0.1, 0.6, 0.9];
  assert.deepEqual(rectangleBetween([0.2, 0.9], [0.6, 0.1]), wanted);
  assert.deepEqual(rectangleBetween([0.6, 0.1], [0.2, 0.9]), wanted);
});

test("both corners of a rectangle are pixels of the photo", () => {
  assert.deepEqual(inPixels([0, 0, 1, 1], 640, 480), [0, 0, 639, 479]);
  assert.deepEqual(inPixels([0.5, 0.25, 0.75, 0.5], 640, 480), [320, 120, 480, 240]);
});

test("a brush grows and shrinks by steps, within bounds", () => {
  assert.equal(nextBrushSize(40, true), 50);
  assert.equal(nextBrushSize(50, false), 40);
  assert.equal(nextBrushSize(399, true), 400);
  assert.equal(nextBrushSize(2, false), 2);
});

test("a tip stays in the window", () => {
  const tip = { width: 100, height: 60 };
  const frame = { width: 800, height: 600 };
  assert.deepEqual(tipPosition({ x: 10, y: 10 }, tip, frame), { left: 24, top: 26 });
  assert.deepEqual(tipPosition({ x: 790, y: 590 }, tip, frame), { left: 692, top: 520 });
});
