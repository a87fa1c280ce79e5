import assert from "node:assert/strict";
import { test } from "node:test";
import { told } from "./page.js";

globalThis.varStudio = { leastProbability: 1e-4, colours: {} };
const { endsOf, LAYERS, strengths } = await import("../../../var_studio/static/scripts/explore/layers.js");
const { readTrace } = await import("../../../var_studio/static/scripts/explore/trace.js");

const trace = readTrace(told);
const near = (found, wanted) => {
  assert.equal(found.length, wanted.length);
  for (const [n, value] of wanted.entries()) assert.ok(Math.abs(found[n] - value) < 1e-6, `${found} and ${wanted}`);
};

test("a signed layer has 0 in the middle of its colours", () => {
  assert.deepEqual(endsOf(trace, "evidence"), [-2, 2]);
  near(strengths({ trace }, "evidence", 0), [0.625]);
  near(strengths({ trace }, "evidence", 1), [0.5, 0, 0.75, 0.375]);
  const flat = { ...trace, evidence: new Float32Array(trace.evidence.length) };
  near(strengths({ trace: flat }, "evidence", 1), [0.5, 0.5, 0.5, 0.5]);
});

test("other layers run from 0, or from their least value by logarithms", () => {
  near(strengths({ trace }, "entropy", 1), [0.25, 0.5, 0.75, 1]);
  near(strengths({ trace }, "probability", 1), [0.5, 0, 0, 0.75]);
});

test("every layer has a name and says what it shows", () => {
  for (const { name, says } of Object.values(LAYERS)) assert.ok(name && says);
});
