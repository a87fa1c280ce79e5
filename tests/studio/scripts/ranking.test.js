import assert from "node:assert/strict";
import test from "node:test";
import { fit, ranked } from "../../../var_studio/static/scripts/shared/ranking.js";

const CLASSES = ["Desert-Rose", "Alpine Sea Holly", "Primrose", "Rosemary", "Rose", "Sea", "Forest, deep sea, wood"];

test("a whole name comes first, then what begins with it, then a word in it, then the rest", () => {
  assert.deepEqual(ranked(CLASSES, "rose"), ["Rose", "Rosemary", "Desert-Rose", "Primrose"]);
  assert.deepEqual(ranked(CLASSES, " SEA "), ["Sea", "Alpine Sea Holly", "Forest, deep sea, wood"]);
});

test("a whole synonym is a whole name", () => {
  assert.deepEqual(ranked(CLASSES, "deep sea"), ["Forest, deep sea, wood"]);
  assert.equal(fit("Forest, deep sea, wood", "wood"), 0);
});

test("what fits alike stays in its order, and what does not fit is left out", () => {
  assert.deepEqual(ranked(["b1", "a", "b2"], "b"), ["b1", "b2"]);
  assert.deepEqual(ranked(["one", "two"], "x"), []);
});

test("anything is ranked by its text", () => {
  assert.deepEqual(
    ranked([{ name: "xa" }, { name: "ax" }], "a", (one) => one.name),
    [{ name: "ax" }, { name: "xa" }],
  );
});
