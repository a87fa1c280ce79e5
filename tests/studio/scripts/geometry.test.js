import assert from "node:assert/strict";
import { test } from "node:test";
import {
  boundedView,
  cellBeside,
  cellUnder,
  clamp,
  cornersBetween,
  fitScale,
  fractionAlong,
  fractionsIn,
  inPixels,
  isFar,
  movedView,
  nextBrushSize,
  pinchedView,
  placeBeside,
  rectangleBetween,
  revealing,
  shareOf,
  thinned,
  tipPosition,
  wheelFactor,
  zoomedView,
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

test("a rectangle has four corners in a row around it, whichever two opposite ones are known", () => {
  const wanted = [
    [3, 1],
    [2, 1],
    [2, 5],
    [3, 5],
  ];
  assert.deepEqual(cornersBetween([3, 1], [2, 5]), wanted);
  assert.deepEqual(cornersBetween([2, 5], [3, 1]).toSorted(), wanted.toSorted());
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

const PHOTO = { width: 100, height: 50 };
const FRAME = { width: 460, height: 360 };
const under = ({ scale, x, y }, [across, down]) => [(across - x) / scale, (down - y) / scale];

test("all of a photo is seen with a margin around it, in the middle", () => {
  const scale = fitScale(PHOTO, FRAME);
  assert.equal(scale, 4);
  assert.deepEqual(boundedView({ scale, x: -999, y: 999 }, PHOTO, FRAME), { scale, x: 30, y: 80 });
});

test("a photo that is larger than its frame is moved until its edge leaves the margin free, and no further", () => {
  assert.deepEqual(boundedView({ scale: 10, x: 99, y: 99 }, PHOTO, FRAME), { scale: 10, x: 30, y: 30 });
  assert.deepEqual(boundedView({ scale: 10, x: -9999, y: -50 }, PHOTO, FRAME), { scale: 10, x: -570, y: -50 });
  assert.deepEqual(movedView({ scale: 10, x: 1, y: 2 }, 3, -4), { scale: 10, x: 4, y: -2 });
});

test("what is under the pointer stays there while one zooms, within the bounds", () => {
  const view = { scale: 2, x: 10, y: -20 };
  const nearer = zoomedView(view, 1.5, [70, 40], 1, 10);
  assert.equal(nearer.scale, 3);
  assert.deepEqual(under(nearer, [70, 40]), under(view, [70, 40]));
  assert.deepEqual(
    [0.1, 100].map((factor) => zoomedView(view, factor, [0, 0], 1, 10).scale),
    [1, 10],
  );
});

test("what two fingers lie on follows both of them", () => {
  const view = { scale: 2, x: 10, y: -20 };
  const before = [
    [0, 0],
    [100, 0],
  ];
  const after = [
    [30, 40],
    [230, 40],
  ];
  const pinched = pinchedView(view, before, after, 1, 10);
  assert.equal(pinched.scale, 4);
  for (const finger of [0, 1]) assert.deepEqual(under(pinched, after[finger]), under(view, before[finger]));
  assert.deepEqual(
    pinchedView(
      view,
      [
        [5, 5],
        [5, 5],
      ],
      [
        [5, 5],
        [5, 5],
      ],
      1,
      10,
    ),
    view,
  );
});

test("a wheel zooms back as far as it zoomed in, and a wild one not by much more", () => {
  assert.ok(wheelFactor(-100) > 1.1);
  assert.ok(Math.abs(wheelFactor(-100) * wheelFactor(100) - 1) < 1e-9);
  assert.equal(wheelFactor(-9999), wheelFactor(-200));
});

test("a long line is thinned evenly, and a short one stays as it is", () => {
  const line = [...Array(10).keys()];
  assert.deepEqual(thinned(line, 4), [0, 3, 6, 9]);
  assert.deepEqual(thinned(line, 10), line);
  assert.ok(isFar([0, 0], [3, 4], 4.9) && !isFar([0, 0], [3, 4], 5));
});

test("an arrow key leads to a place a step on, which stays on the photo", () => {
  assert.deepEqual(placeBeside([0.5, 0.5], "ArrowLeft", 0.25), [0.25, 0.5]);
  assert.deepEqual(placeBeside([0.5, 0.9], "ArrowDown", 0.25), [0.5, 1]);
  assert.equal(placeBeside([0.5, 0.5], "Enter", 0.25), null);
});

test("a point is revealed with a margin around it, and what is seen stays", () => {
  const frame = { width: 300, height: 200 };
  assert.deepEqual(revealing([100, 100], frame), [0, 0]);
  assert.deepEqual(revealing([-20, 190], frame), [50, -20]);
  assert.deepEqual(revealing([10, 10], { width: 20, height: 20 }), [20, 20]); // smaller than its margins
});

test("a share counts each place once, however many lists have it", () => {
  const lists = [
    [1, 1, 0, 0],
    [0, 1, 0, 0],
  ];
  assert.equal(shareOf(lists), 0.5);
  assert.equal(shareOf([]), 0);
});
