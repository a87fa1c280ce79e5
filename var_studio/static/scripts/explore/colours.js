// Values and codes as colours. Pixels are red, green, blue and alpha, 0 to 255, one after another.
import { gain, grey } from "../shared/constants.js";
import { clamp } from "../shared/geometry.js";
import { codeOf, colourOf, range } from "./trace.js";

// Viridis, violet to yellow: told apart with every kind of colour vision.
export const VIRIDIS = [
  [68, 1, 84],
  [71, 45, 123],
  [59, 82, 139],
  [44, 114, 142],
  [33, 145, 140],
  [40, 174, 128],
  [94, 201, 98],
  [173, 220, 48],
  [253, 231, 37],
];

export const css = (colour) => `rgb(${[...colour].join(" ")})`;

// The colour of a strength from 0 to 1.
export const heat = (strength) => {
  const position = clamp(strength, 0, 1) * (VIRIDIS.length - 1);
  const low = Math.floor(position);
  const [from, to] = [VIRIDIS[low], VIRIDIS[Math.min(low + 1, VIRIDIS.length - 1)]];
  return css(from.map((value, axis) => Math.round(value + (position - low) * (to[axis] - value))));
};

// A token map of a scale, a pixel a token, in the colours of the codes.
export const tokenPixels = (trace, scale) => {
  const places = range(trace.lengths[scale]);
  const colours = places.map((index) => [...colourOf(trace, codeOf(trace, { scale, index })), 255]);
  return Uint8ClampedArray.from(colours.flat());
};

// What was added to the pixels `before`, or to grey where that is null: grey is nothing, the rest is `gain` as strong.
export const addedPixels = (pixels, before) =>
  pixels.map((value, index) => (index % 4 === 3 ? value : grey + gain * (value - (before ? before[index] : grey))));
