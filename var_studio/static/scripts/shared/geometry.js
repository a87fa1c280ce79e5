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

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// The cell that an arrow key leads to, which stays on the map; the same one for other keys.
export const cellBeside = (cell, side, key) => {
  const [right, down] = ARROWS[key] ?? [0, 0];
  const column = clamp((cell % side) + right, 0, side - 1);
  return clamp(Math.floor(cell / side) + down, 0, side - 1) * side + column;
};

// The place [x, y], from 0 to 1, to which an arrow key leads by a step; null for other keys.
export const placeBeside = ([x, y], key, step) => {
  const arrow = ARROWS[key];
  return arrow ? [clamp(x + arrow[0] * step, 0, 1), clamp(y + arrow[1] * step, 0, 1)] : null;
};

// A rectangle between two opposite corners [x, y]: [left, top, right, bottom].
export const rectangleBetween = (one, other) => [
  Math.min(one[0], other[0]),
  Math.min(one[1], other[1]),
  Math.max(one[0], other[0]),
  Math.max(one[1], other[1]),
];

// The four corners, in a row around it, of a rectangle of which two opposite ones are known.
export const cornersBetween = ([x0, y0], [x1, y1]) => [
  [x0, y0],
  [x1, y0],
  [x1, y1],
  [x0, y1],
];

// A rectangle in fractions of a photo, in its pixels; both corners lie inside.
export const inPixels = (rectangle, width, height) =>
  rectangle.map((part, end) => {
    const length = end % 2 ? height : width;
    return Math.min(length - 1, Math.floor(part * length));
  });

// The share of places at which any of several lists of flags, all of one length, has one.
export const shareOf = (lists) => {
  const held = lists[0]?.filter((_, index) => lists.some((flags) => flags[index])).length ?? 0;
  return held / Math.max(1, lists[0]?.length ?? 0);
};

export const isFar = ([x0, y0], [x1, y1], distance) => Math.hypot(x1 - x0, y1 - y0) > distance;

// As many points of a line as may be, evenly, from its first on.
export const thinned = (points, most) => {
  const step = Math.max(1, Math.ceil(points.length / most));
  return points.filter((_, index) => index % step === 0);
};

// A view of a photo in a frame is {scale, x, y}: how large it is shown, and where its top left corner lies in the frame.

const MARGIN = 30; // pixels of the frame around a photo, all of which is seen

// How large a photo is shown so that all of it is seen.
export const fitScale = (photo, frame) =>
  Math.min((frame.width - 2 * MARGIN) / photo.width, (frame.height - 2 * MARGIN) / photo.height);

// Where a side of a photo begins: in the middle if it fits, else such that it leaves no more than the margin free.
const boundedStart = (start, length, room) =>
  length <= room - 2 * MARGIN ? (room - length) / 2 : clamp(start, room - MARGIN - length, MARGIN);

// The nearest view that does not lose the photo out of the frame.
export const boundedView = ({ scale, x, y }, photo, frame) => ({
  scale,
  x: boundedStart(x, photo.width * scale, frame.width),
  y: boundedStart(y, photo.height * scale, frame.height),
});

export const movedView = ({ scale, x, y }, right, down) => ({ scale, x: x + right, y: y + down });

// A view so many times as large, in which what is at a point [x, y] of the frame stays there.
export const zoomedView = (view, factor, [x, y], least, most) => {
  const scale = clamp(view.scale * factor, least, most);
  const ratio = scale / view.scale;
  return { scale, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio };
};

// The view after two fingers went from two points of the frame to two others, and took with them what lay under them.
export const pinchedView = (view, before, after, least, most) => {
  const [from, to] = [before, after].map(([[x0, y0], [x1, y1]]) => ({
    middle: [(x0 + x1) / 2, (y0 + y1) / 2],
    apart: Math.max(1, Math.hypot(x1 - x0, y1 - y0)),
  }));
  const zoomed = zoomedView(view, to.apart / from.apart, from.middle, least, most);
  return movedView(zoomed, to.middle[0] - from.middle[0], to.middle[1] - from.middle[1]);
};

// By how much what is shown moves so that a point [x, y] of the frame, and a margin around it, are seen.
export const revealing = (point, frame) =>
  [frame.width, frame.height].map(
    (room, axis) => clamp(point[axis], MARGIN, Math.max(MARGIN, room - MARGIN)) - point[axis],
  );

// By how much a wheel that turns so many pixels zooms: a trackpad tells small steps, a mouse those of about 100.
export const wheelFactor = (pixels) => Math.exp(-clamp(pixels, -200, 200) * (Math.abs(pixels) < 50 ? 0.01 : 0.0025));

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
