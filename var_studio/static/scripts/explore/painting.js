// Maps painted onto canvases.
import { colours } from "../shared/constants.js";
import { addedPixels, css, heat, tokenPixels, VIRIDIS } from "./colours.js";
import { strengths } from "./layers.js";
import { placesOfSameCode, range, readTrace, spotOf } from "./trace.js";

const UNDER = 0.2; // how much of the grey picture shows through a heat map

export const canvas = (side) => Object.assign(document.createElement("canvas"), { width: side, height: side });

const load = async (address) => {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
};

// What the page is told of a trace, ready to be painted.
export const openTrace = async (told) => {
  const trace = readTrace(told);
  trace.images = await Promise.all(told.pictures.map(load));
  trace.maps = told.sides.map((side, scale) => tokenMap(trace, scale, side));
  trace.added = trace.images.map((image, scale) => addedMap(image, trace.images[scale - 1]));
  return trace;
};

const tokenMap = (trace, scale, side) => {
  const map = canvas(side);
  map.getContext("2d").putImageData(new ImageData(tokenPixels(trace, scale), side, side), 0, 0);
  return map;
};

const addedMap = (image, before) => {
  const side = image.naturalWidth;
  const map = canvas(side);
  const context = map.getContext("2d", { willReadFrequently: true });
  const pixelsOf = (picture) => {
    context.drawImage(picture, 0, 0);
    return context.getImageData(0, 0, side, side).data;
  };
  const under = before ? pixelsOf(before) : null;
  context.putImageData(new ImageData(addedPixels(pixelsOf(image), under), side, side), 0, 0);
  return map;
};

// One layer of one scale onto a canvas, with frames around what is chosen.
export const paint = (target, view, layer, scale) => {
  const { trace, token, cursor } = view;
  const context = target.getContext("2d");
  const size = target.width;
  context.clearRect(0, 0, size, size);
  context.imageSmoothingEnabled = layer !== "tokens";
  context.imageSmoothingQuality = "high";
  const source = { tokens: trace.maps, added: trace.added, picture: trace.images }[layer];
  if (source) context.drawImage(source[scale], 0, 0, size, size);
  else paintHeat(context, view, layer, scale, size);
  if (layer === "tokens") dimKept(context, trace, scale, size);
  const frame = (index, colour) => outline(context, spotOf(trace, { scale, index }), size, colour);
  if (layer === "tokens" && token)
    for (const index of placesOfSameCode(trace, token, scale)) frame(index, colours.same);
  if (token?.scale === scale) frame(token.index, colours.mark);
  if (cursor?.scale === scale && target.id) frame(cursor.index, colours.cursor); // only on the large picture
};

// Of an edited photo, what was kept stands back behind what was drawn.
const dimKept = (context, trace, scale, size) => {
  if (trace.origin !== "edited") return;
  const side = trace.sides[scale];
  const cell = size / side;
  context.fillStyle = colours.veil;
  for (const index of range(trace.lengths[scale]).filter((here) => trace.keep[trace.starts[scale] + here])) {
    context.fillRect((index % side) * cell, Math.floor(index / side) * cell, cell, cell);
  }
};

const paintHeat = (context, view, layer, scale, size) => {
  const side = view.trace.sides[scale];
  const cell = size / side;
  for (const [index, strength] of strengths(view, layer, scale).entries()) {
    context.fillStyle = strength === null ? colours.unknown : heat(strength);
    context.fillRect((index % side) * cell, Math.floor(index / side) * cell, cell + 0.5, cell + 0.5);
  }
  context.globalAlpha = UNDER;
  context.filter = "grayscale(1)";
  context.drawImage(view.trace.images[scale], 0, 0, size, size);
  context.filter = "none";
  context.globalAlpha = 1;
};

const outline = (context, { row, column, side }, size, colour) => {
  const cell = size / side;
  const thick = Math.max(1.5, size / 128);
  for (const [style, inset] of [
    [colours.edge, 0],
    [colour, thick],
  ]) {
    context.strokeStyle = style;
    context.lineWidth = thick;
    context.strokeRect(column * cell + inset, row * cell + inset, cell - 2 * inset, cell - 2 * inset);
  }
};

// The block-causal mask of a schedule: a row a token that looks, a column a token that is looked at.
export const paintMask = (target, { starts, lengths }) => {
  const context = target.getContext("2d");
  const unit = target.width / (starts.at(-1) + lengths.at(-1));
  const last = Math.max(1, lengths.length - 1);
  for (const from of range(lengths.length)) {
    for (const to of range(from + 1)) {
      context.fillStyle = css(VIRIDIS[Math.round(((VIRIDIS.length - 1) * to) / last)]);
      context.fillRect(starts[to] * unit, starts[from] * unit, lengths[to] * unit, lengths[from] * unit);
    }
  }
};
