import assert from "node:assert/strict";
import { test } from "node:test";
import { attention, told } from "./page.js";

const {
  attentionBetween,
  attentionIn,
  attentionOf,
  codeOf,
  colourOf,
  indexOf,
  inWords,
  linesOfTree,
  mostSharedCode,
  ofScale,
  placesOfSameCode,
  raceAt,
  readTrace,
  spotOf,
} = await import("../../../var_studio/static/scripts/explore/trace.js");

const trace = readTrace(told);
const near = (found, wanted) => {
  assert.equal(found.length, wanted.length);
  for (const [n, value] of wanted.entries()) assert.ok(Math.abs(found[n] - value) < 1e-6, `${found} and ${wanted}`);
};

test("what is told of a trace becomes numbers", () => {
  assert.deepEqual(
    [trace.lengths, trace.starts],
    [
      [1, 4],
      [0, 1],
    ],
  );
  assert.deepEqual([...trace.tokens], [3, 0, 3, 1, 3]);
  assert.deepEqual([...trace.unguided], [-1, 0, 2, 1, 0]);
  near([...trace.probability], [1, 0.01, 1e-4, 1e-6, 0.1]);
  near([...trace.masses], [1, 0, 0.2, 0.8, 1, 0, 0.6, 0.4]);
});

test("a token is found by its scale and index", () => {
  const token = { scale: 1, index: 2 };
  assert.equal(indexOf(trace, token), 3);
  assert.equal(codeOf(trace, token), 1);
  assert.deepEqual([...colourOf(trace, 1)], [10, 20, 30]);
  assert.deepEqual(spotOf(trace, token), { row: 1, column: 0, side: 2 });
  assert.equal(inWords(trace, token), "scale 2, row 2, column 1");
  assert.deepEqual([...ofScale(trace, trace.tokens, 1)], [0, 3, 1, 3]);
});

test("the same code is found at every scale", () => {
  const token = { scale: 0, index: 0 };
  assert.deepEqual(placesOfSameCode(trace, token, 0), [0]);
  assert.deepEqual(placesOfSameCode(trace, token, 1), [1, 3]);
  assert.deepEqual(mostSharedCode(trace), [
    { scale: 0, index: 0 },
    { scale: 1, index: 3 },
  ]);
});

test("attention is that of the chosen layer, or a mean over all", () => {
  const view = { trace, seen: attentionIn(attention), block: "mean", head: "mean" };
  near([...attentionOf(view)], [0.3, 0.3, 0, 0.4, 0]);
  near([...attentionOf({ ...view, block: "1" })], [0.4, 0.6, 0, 0, 0]);
  assert.equal(attentionOf({ ...view, seen: null }), null);
});

test("attention between scales is that of the chosen layer, or a mean over all", () => {
  const view = { trace, block: "mean", head: "mean" };
  near([attentionBetween(view, 1, 0), attentionBetween(view, 1, 1)], [0.4, 0.6]);
  near([attentionBetween({ ...view, block: "0" }, 1, 0)], [0.2]);
});

test("a tree is written branch by branch, and who has lost a parent stands in front", () => {
  const nodes = [
    { n: 2, parent: 1 },
    { n: 3, parent: 2 },
    { n: 4, parent: null },
    { n: 5, parent: 2 },
    { n: 6, parent: 4 },
  ];
  const lines = linesOfTree(nodes).map(({ node, depth }) => [node.n, depth]);
  assert.deepEqual(lines, [
    [2, 0],
    [3, 1],
    [5, 1],
    [4, 0],
    [6, 1],
  ]);
});

test("both orders begin and end together", () => {
  assert.deepEqual(raceAt(trace, 0), { scale: 0, done: 0 });
  assert.deepEqual(raceAt(trace, 0.5), { scale: 1, done: 2 });
  assert.deepEqual(raceAt(trace, 1), { scale: 1, done: 4 });
});
