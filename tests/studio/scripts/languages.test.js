import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { languageOf, translator } from "../../../var_studio/static/scripts/shared/languages.js";

const FOLDER = new URL("../../../var_studio/static/languages/", import.meta.url);
const PARTS = /\{\w+\}/g;
const catalogues = readdirSync(FOLDER).map((name) => [name, JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"))]);

const CATALOGUE = {
  Run: "Starten",
  "{1} pictures": "{1} Bilder",
  "{what} in {1} s": "{what} in {1} s",
  "{1} of {2}": "von {2} {1}",
  "{1} of {2}, {what}": "{what}: {1} von {2}",
  "seed {seed}": "Seed {seed}",
  "It was {name}.": "Es war {name}.",
};
const say = translator(CATALOGUE, "de");

test("a text is translated as a whole, and one that is not known stays as it is", () => {
  assert.deepEqual(["Run", "run", "Run it", ""].map(say), ["Starten", "run", "Run it", ""]);
});

test("what differs in a text is translated in turn, and may stand elsewhere", () => {
  assert.equal(say("1 of 2, 12 pictures"), "12 Bilder: 1 von 2");
  assert.equal(say("no pictures"), "no pictures");
});

test("numbers in a text are written as the language writes them, and seeds as they are", () => {
  assert.equal(say("12 pictures in 3.5 s"), "12 Bilder in 3,5 s");
  assert.equal(say(say("12 pictures in 3.5 s")), "12 Bilder in 3,5 s");
  assert.equal(say("1 of 2, 1,200 pictures"), "1.200 Bilder: 1 von 2");
  assert.equal(say("1,234.50 pictures"), "1.234,50 Bilder");
  assert.equal(translator({ "{1} pictures": "{1} images" }, "en")("1,234.50 pictures"), "1,234.50 images");
  assert.equal(say("seed 5, 9"), "Seed 5, 9");
});

test("texts in one line are translated one by one", () => {
  assert.equal(say("1 of 2 · Rose · seed 7"), "von 2 1 · Rose · Seed 7");
  assert.equal(say("Run: Rose, 3 pictures"), "Starten: Rose, 3 Bilder");
});

test("a part of a text does not reach into the next sentence", () => {
  const two = "It was late. Nobody came.";
  assert.equal(say(two), two);
  assert.equal(say("It was late."), "Es war late.");
});

test("a language is known by its tag, of whatever country", () => {
  const known = (tag) => languageOf(tag, ["en", "de"]);
  assert.deepEqual(["de", "de-AT", "DE-de", "en-GB", "fr", "", undefined].map(known), [
    "de",
    "de",
    "de",
    "en",
    null,
    null,
    null,
  ]);
});

test("a translation has the parts of its English text, and is none itself", () => {
  assert.ok(catalogues.length);
  for (const [name, catalogue] of catalogues) {
    const into = translator(catalogue, name.replace(".json", ""));
    for (const [english, said] of Object.entries(catalogue)) {
      const [ours, theirs] = [english, said].map((text) => [...new Set(text.match(PARTS))].sort());
      assert.deepEqual(theirs, ours, `${name}: ${english}`);
      const filled = (text) => text.replaceAll(/\{\d\}/g, "7").replaceAll(PARTS, "Xyz");
      assert.equal(into(filled(english)), filled(said), `${name}: ${english}`);
      assert.equal(into(filled(said)), filled(said), `${name}: ${said} would be translated again`);
    }
  }
});
