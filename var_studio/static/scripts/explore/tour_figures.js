// The figures of the tour: two orders of drawing side by side, and the attention mask.
import { box, made } from "../shared/elements.js";
import { fractionAlong } from "../shared/geometry.js";
import { sizeOf } from "../shared/words.js";
import { canvas, paintMask } from "./painting.js";
import { element } from "./panels/parts.js";
import { raceAt } from "./trace.js";

const RASTER_MS = 4500; // how long the raster order takes
const RACE_SIDE = 180; // pixels
const MASK_SIDE = 320;
let running = 0; // the frame that is asked for

export const stopRace = () => cancelAnimationFrame(running);

// Left the scales one after another, right the finished picture uncovered token by token, in the same time.
export const showRace = (trace) => {
  stopRace();
  const [scales, raster] = [canvas(RACE_SIDE), canvas(RACE_SIDE)];
  const captions = [made("figcaption"), made("figcaption")];
  element("stage").replaceChildren(figure(scales, captions[0]), figure(raster, captions[1]));
  const began = performance.now();
  const frame = (now) => {
    const fraction = fractionAlong(now, began, RASTER_MS);
    const { scale, done } = raceAt(trace, fraction);
    scales.getContext("2d").drawImage(trace.images[scale], 0, 0, RACE_SIDE, RACE_SIDE);
    uncover(raster, trace, done);
    captions[0].textContent = `next scale: step ${scale + 1} of ${trace.sides.length}`;
    captions[1].textContent = `raster order: step ${done} of ${trace.lengths.at(-1)}`;
    if (fraction < 1) running = requestAnimationFrame(frame);
  };
  running = requestAnimationFrame(frame);
};

const figure = (drawn, caption) => box("", [drawn, caption], "figure");

// Paint the first tokens of the finest map, and what of the finished picture lies under them.
const uncover = (target, trace, done) => {
  const context = target.getContext("2d");
  const side = trace.sides.at(-1);
  const cell = target.width / side;
  const rows = Math.floor(done / side);
  context.save();
  context.beginPath();
  context.rect(0, 0, target.width, rows * cell);
  context.rect(0, rows * cell, (done % side) * cell, cell);
  context.clip();
  context.drawImage(trace.images.at(-1), 0, 0, target.width, target.width);
  context.restore();
};

// The block-causal mask of this very schedule.
export const showMask = (trace) => {
  const drawn = canvas(MASK_SIDE);
  paintMask(drawn, trace);
  const total = trace.tokens.length;
  const sides = trace.sides.map(sizeOf).join(", ");
  const words = `${total} × ${total} tokens; blue to yellow: the scales that are looked at, ${sides}`;
  element("stage").replaceChildren(figure(drawn, made("figcaption", words)));
};
