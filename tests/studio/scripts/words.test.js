import assert from "node:assert/strict";
import { test } from "node:test";
import {
  fieldIdsOf,
  inUnits,
  percent,
  placeInWords,
  round,
  settingOf,
} from "../../../var_studio/static/scripts/shared/words.js";

test("numbers have three digits, and very small ones none", () => {
  assert.deepEqual([0, 1.23456, 123456, 0.01, 0.00049].map(round), ["0", "1.23", "123000", "0.01", "under 0.001"]);
});

test("a fraction is told in per cent, and a very small one is not told as nothing", () => {
  assert.deepEqual([0, 0.0005, 0.5, 1].map(percent), ["0 %", "under 0.1 %", "50 %", "100 %"]);
});

test("values are told in the largest unit in which the largest has two digits", () => {
  const units = [
    ["KiB", 1024],
    ["MiB", 1024 ** 2],
  ];
  assert.deepEqual(inUnits([1024, 9 * 1024 ** 2], units), { unit: "KiB", values: [1, 9216] });
  assert.deepEqual(inUnits([0, 10 * 1024 ** 2], units), { unit: "MiB", values: [0, 10] });
});

test("small values are told in the smallest unit, and what is not known stays so", () => {
  assert.deepEqual(inUnits([0.001, null], [["ms", 1e-3]]), { unit: "ms", values: [1, null] });
});

test("a place is told in per cent, with a tenth where it has one", () => {
  assert.equal(placeInWords([0.4, 0.6049]), "x 40 %, y 60.5 %");
  assert.equal(placeInWords([0, 1]), "x 0 %, y 100 %");
});

test("a widget's id names its setting, also after a tab's name, and the longest name that fits", () => {
  const names = ["shown", "p", "top_p"];
  assert.deepEqual(
    ["shown", "edit_shown", "explore_top_p", "p", "unshown"].map((id) => settingOf(id, names)),
    ["shown", "shown", "top_p", "p", ""],
  );
});

test("an error names the field that it is about", () => {
  const terms = { guidance: "guidance", "guidance ramp": "ramp", "top-k": "top_k", "how free": "freedom" };
  const ids = (error) => fieldIdsOf(error, terms);
  assert.ok(ids("variations 99 is out of range: choose 1 to 16.").includes("edit_variations"));
  assert.ok(ids("pixels -4: choose 0 or more.").includes("mask_pixels"));
  assert.ok(ids("top_k -1 is out of range: choose 0 to 1000000.").includes("explore_top_k"));
  assert.ok(ids("top-k is empty: type a number.").includes("top_k"));
  assert.ok(ids("guidance is empty: type a number.").includes("edit_guidance"));
  assert.ok(ids("guidance ramp is empty: type a number.").includes("edit_ramp"));
  assert.ok(ids("how free 9 is out of range: choose 0 (the same) to 4.").includes("freedom"));
  assert.ok(!ids("guidance ramp is empty: type a number.").includes("edit_guidance"));
  assert.deepEqual(ids("There is no class 'Sunflour'."), ids("'sea' may mean Sea or Seal: say which."));
  assert.deepEqual(ids("Nothing is painted yet: paint over what should change."), []);
});
