// A trace as the server tells it, read into numbers; and what is found in it. A token is {scale, index}: `index` counts
// the squares of its scale row by row.
import { attentionUnit } from "../shared/constants.js";

export const sum = (values) => values.reduce((total, value) => total + value, 0);
export const range = (length) => [...Array(length).keys()];

// Base64 of little-endian numbers, as a typed array of a kind.
export const numbersIn = (text, Kind) => new Kind(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);

// Attention, which is sent in units of 1 / attentionUnit, as fractions.
export const attentionIn = (text) =>
  new Float32Array(numbersIn(text, Uint16Array)).map((value) => value / attentionUnit);

// All numbers of a trace; its pictures are left as they came.
export const readTrace = (told) => {
  const lengths = told.sides.map((side) => side * side);
  const trace = {
    ...told,
    lengths, // tokens of each scale
    starts: lengths.map((_, scale) => sum(lengths.slice(0, scale))), // how many tokens come before each scale
    colours: numbersIn(told.colours, Uint8Array),
    keep: numbersIn(told.keep, Uint8Array),
    masses: attentionIn(told.masses),
  };
  for (const name of ["tokens", "rank", "unguided", "likeliest"]) trace[name] = numbersIn(told[name], Int32Array);
  for (const name of ["likeliestProbability", "probability", "entropy", "divergence", "evidence"]) {
    trace[name] = numbersIn(told[name], Float32Array);
  }
  return trace;
};

// A token's index among all tokens.
export const indexOf = (trace, { scale, index }) => trace.starts[scale] + index;

export const codeOf = (trace, token) => trace.tokens[indexOf(trace, token)];

// The part of something with a value a token that belongs to a scale.
export const ofScale = (trace, values, scale) =>
  values.subarray(trace.starts[scale], trace.starts[scale] + trace.lengths[scale]);

// Red, green and blue of a code.
export const colourOf = (trace, code) => trace.colours.subarray(3 * code, 3 * code + 3);

export const spotOf = (trace, { scale, index }) => {
  const side = trace.sides[scale];
  return { row: Math.floor(index / side), column: index % side, side };
};

export const inWords = (trace, token) => {
  const { row, column } = spotOf(trace, token);
  return `scale ${token.scale + 1}, row ${row + 1}, column ${column + 1}`;
};

// Places of a scale that hold the same code as a token.
export const placesOfSameCode = (trace, token, scale) => {
  const wanted = codeOf(trace, token);
  const codes = ofScale(trace, trace.tokens, scale);
  return range(codes.length).filter((index) => codes[index] === wanted);
};

// Of the code that the most scales use, one token at each of these scales, coarse to fine.
export const mostSharedCode = (trace) => {
  const found = new Map(); // by code: the last index at each scale
  for (const scale of range(trace.sides.length)) {
    for (const [index, code] of ofScale(trace, trace.tokens, scale).entries()) {
      found.set(code, (found.get(code) ?? new Map()).set(scale, index));
    }
  }
  const [most] = [...found.values()].sort((one, other) => other.size - one.size);
  return [...most].map(([scale, index]) => ({ scale, index }));
};

// ------------------------------------------------------------------------------------------------ attention

// Rows of the chosen layers and heads: `block` and `head` are a number each, or "mean" for all.
const chosenRows = ({ trace: { depth, heads }, block, head }) => {
  const numbers = (choice, length) => (choice === "mean" ? range(length) : [Number(choice)]);
  return numbers(block, depth).flatMap((one) => numbers(head, heads).map((other) => one * heads + other));
};

// Attention of the chosen token to all tokens, a mean over the chosen rows; null while it is not known.
export const attentionOf = (view) => {
  if (!view.seen) return null;
  const { length } = view.trace.tokens;
  const rows = chosenRows(view);
  const found = new Float32Array(length);
  for (const row of rows) {
    for (let to = 0; to < length; to += 1) found[to] += view.seen[row * length + to] / rows.length;
  }
  return found;
};

// Attention from scale to scale, a mean over the tokens of `from` and the chosen rows.
export const attentionBetween = (view, from, to) => {
  const scales = view.trace.sides.length;
  const rows = chosenRows(view);
  return sum(rows.map((row) => view.trace.masses[(row * scales + from) * scales + to])) / rows.length;
};

// ------------------------------------------------------------------------------------------------ branches

// Pictures {n, parent} in the order in which a tree of them is written, each with its depth; those whose parent is not
// there come first.
export const linesOfTree = (nodes) => {
  const here = new Set(nodes.map(({ n }) => n));
  const under = (parent, depth) =>
    nodes
      .filter((node) => (here.has(node.parent) ? node.parent : null) === parent)
      .flatMap((node) => [{ node, depth }, ...under(node.n, depth + 1)]);
  return under(null, 0);
};

// ------------------------------------------------------------------------------------------------ order

// How far two orders of drawing are after a fraction of the time: the scale shown, and the tokens that raster order
// has written of the finest map.
export const raceAt = ({ lengths }, fraction) => ({
  scale: Math.min(lengths.length - 1, Math.floor(fraction * lengths.length)),
  done: Math.floor(fraction * lengths.at(-1)),
});
