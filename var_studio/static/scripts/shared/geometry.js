// Where things are: numbers in, numbers out.

export const clamp = (value, least, most) => Math.min(most, Math.max(least, value));

// How far along a box of `length` from `start` a point is, from 0 to 1.
export const fractionAlong = (point, start, length) => clamp((point - start) / length, 0, 1);

// Where in a box, as the browser measures it, a point is: [across, down], each from 0 to 1.
export const fractionsIn = (box, x, y) => [
  fractionAlong(x, box.left, box.width),
  fractionAlong(y, box.top, box.height),
];

// The number of the cell of a square map under a point, counted row by row.
export const cellUnder = (box, side, x, y) => {
  const [column, row] = fractionsIn(box, x, y).map((part) => Math.min(side - 1, Math.floor(part * side)));
  return row * side + column;
};

// The cell that an arrow key leads to, which stays on the map; the same one for other keys.
export const cellBeside = (cell, side, key) => {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const [right, down] = steps[key] ?? [0, 0];
  const column = clamp((cell % side) + right, 0, side - 1);
  return clamp(Math.floor(cell / side) + down, 0, side - 1) * side + column;
};

// A rectangle between two opposite corners [x, y]: [left, top, right, bottom].
export const rectangleBetween = (one, other) => [
  Math.min(one[0], other[0]),
  Math.min(one[1], other[1]),
  Math.max(one[0], other[0]),
  Math.max(one[1], other[1]),
];

// A rectangle in fractions of a photo, in its pixels; both corners lie inside.
export const inPixels = (rectangle, width, height) =>
  rectangle.map((part, end) => {
    const length = end % 2 ? height : width;
    return Math.min(length - 1, Math.floor(part * length));
  });

// A brush one step larger or smaller, from 2 to 400 pixels.
export const nextBrushSize = (size, larger) => clamp(size * (larger ? 1.25 : 0.8), 2, 400);

// Where a tip beside the pointer goes, so that all of it is in the window: right of and below the pointer if it can be.
export const tipPosition = (pointer, tip, frame) => {
  const below = pointer.y + 16;
  return {
    left: Math.min(pointer.x + 14, frame.width - tip.width - 8),
    top: below + tip.height > frame.height ? pointer.y - tip.height - 10 : below,
  };
};
