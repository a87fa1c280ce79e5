import assert from "node:assert/strict";
import { test } from "node:test";
import { attention, told } from "./page.js";

const { addedPixels, css, heat, tokenPixels, VIRIDIS } = await import(
  "../../../var_studio/static/scripts/explore/colours.js"
);
const { endsOf, LAYERS, strengths } = await import("../../../var_studio/static/scripts/explore/layers.js");
const { attentionIn, readTrace } = await import("../../../var_studio/static/scripts/explore/trace.js");

const trace = readTrace(told);
const view = { trace, token: { scale: 1, index: 0 }, seen: attentionIn(attention), block: "mean", head: "mean" };
const near = (found, wanted) => {
  assert.equal(found.length, wanted.length);
  for (const [n, value] of wanted.entries()) assert.ok(Math.abs(found[n] - value) < 1e-6, `${found} and ${wanted}`);
};

test("heat goes from violet to yellow, and stays there beyond the ends", () => {
  assert.equal(heat(0), css(VIRIDIS[0]));
  assert.equal(heat(1), css(VIRIDIS.at(-1)));
  assert.deepEqual([heat(-1), heat(2)], [heat(0), heat(1)]);
  assert.equal(heat(1 / 16), "rgb(70 23 104)");
});

test("a token map has the colours of its codes", () => {
  assert.deepEqual([...tokenPixels(trace, 1)], [0, 0, 0, 255, 255, 254, 253, 255, 10, 20, 30, 255, 255, 254, 253, 255]);
});

test("what was added is twice as strong around grey, within the range of pixels", () => {
  const after = Uint8ClampedArray.of(110, 90, 255, 255);
  assert.deepEqual([...addedPixels(after, Uint8ClampedArray.of(100, 100, 0, 255))], [148, 108, 255, 255]);
  assert.deepEqual([...addedPixels(after, null)], [92, 52, 255, 255]);
});

test("probabilities are coloured by their logarithm", () => {
  assert.deepEqual(endsOf(trace, "probability"), [1e-4, 1]);
  near(strengths(view, "probability", 1), [0.5, 0, 0, 0.75]);
});

test("entropy is coloured in proportion to the highest", () => {
  assert.deepEqual(endsOf(trace, "entropy"), [0, 4]);
  near(strengths(view, "entropy", 1), [0.25, 0.5, 0.75, 1]);
});

test("guidance colours what it changed, and nothing that was kept", () => {
  assert.deepEqual(strengths(view, "unguided", 0), [null]);
  assert.deepEqual(strengths(view, "unguided", 1), [0, 1, 0, 1]);
});

test("attention is coloured in proportion to the highest of a scale, and unknown beyond the token's own", () => {
  near(strengths(view, "attention", 1), [0.75, 0, 1, 0]);
  assert.deepEqual(strengths({ ...view, token: { scale: 0, index: 0 } }, "attention", 1), Array(4).fill(null));
  assert.deepEqual(strengths({ ...view, seen: null }, "attention", 0), [null]);
});

test("every layer says what it shows, and those with a unit how to tell their values", () => {
  for (const { name, says, unit, factor } of Object.values(LAYERS)) {
    assert.ok(name && says);
    assert.equal(unit === undefined, factor === undefined);
  }
});
