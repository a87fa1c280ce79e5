import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { paced } from "../../../var_studio/static/scripts/edit/pace.js";

test("the canvas draws fast while somebody is at it, slowly after a moment, and not at all for an editor that is gone", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const [ticker, seen] = [{}, new EventTarget()];
  const rest = paced(ticker, seen);
  const first = ticker.maxFPS;
  mock.timers.tick(5000);
  const idle = ticker.maxFPS;
  seen.dispatchEvent(new Event("pointermove"));
  mock.timers.tick(2000);
  seen.dispatchEvent(new Event("keydown"));
  mock.timers.tick(2000);
  assert.equal(ticker.maxFPS, first);
  assert.ok(idle < first / 3);
  mock.timers.tick(5000);
  assert.equal(ticker.maxFPS, idle);
  rest();
  seen.dispatchEvent(new Event("pointermove"));
  assert.equal(ticker.maxFPS, idle);
  mock.timers.reset();
});

test("where frames take long the time between them is counted in full, so that drawing ends as soon as elsewhere", () => {
  const ticker = { minFPS: 10 }; // as a ticker begins: it counts a tenth of a second at most
  paced(ticker, new EventTarget())();
  assert.ok(ticker.minFPS <= 1);
});
