import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { dropAll, kept, recalled } from "../../../var_studio/static/scripts/shared/storage.js";

const lend = (storage) => Object.defineProperty(globalThis, "localStorage", { value: storage, configurable: true });

class Storage {
  getItem(name) {
    return this[name] ?? null;
  }
  setItem(name, value) {
    this[name] = value;
  }
  removeItem(name) {
    delete this[name];
  }
}

afterEach(() => delete globalThis.localStorage);

test("what is kept is recalled, and dropped without touching what is not ours", () => {
  const storage = Object.assign(new Storage(), { other: "stays" });
  lend(storage);
  kept("theme", "dark");
  assert.equal(recalled("theme"), "dark");
  dropAll();
  assert.equal(recalled("theme"), null);
  assert.equal(storage.other, "stays");
});

test("where the browser forbids it nothing is kept, and nothing breaks", () => {
  const forbidden = () => {
    throw new Error("SecurityError");
  };
  Object.defineProperty(globalThis, "localStorage", { get: forbidden, configurable: true });
  kept("theme", "dark");
  dropAll();
  assert.equal(recalled("theme"), null);
});
