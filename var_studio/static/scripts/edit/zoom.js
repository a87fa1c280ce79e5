// Zoom and pan of the Edit tab's canvas: by wheel, fingers, keys, and by dragging.
import { focusCameByKeys, isTyping } from "../shared/elements.js";
import {
  boundedView,
  fitScale,
  movedView,
  pinchedView,
  revealing,
  wheelFactor,
  zoomedView,
} from "../shared/geometry.js";
import { dropStroke } from "./brush.js";
import { editorInSight, withEachEditor } from "./editor.js";
import { keepView } from "./kept_view.js";
import { TOOLS, toolNow } from "./tools.js";

const MOST = 10; // times the size of the canvas, as in the editor's own buttons
const KEY_FACTOR = 1.25;
const KEY_STEP = 60; // pixels
const LINE = 33; // pixels that a wheel means by a line
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

const fingers = new Map(); // on the canvas, by their pointers' numbers: [x, y]
let pinching = false; // until all fingers are lifted
let panning = null; // {id: the pointer's number, at: [x, y]}
let spaceHeld = false;
const pinchListeners = [];

// Calls back when two fingers begin to pinch, so that what one of them had begun ends.
export const onPinch = (listener) => pinchListeners.push(listener);

export const viewOf = (made) => {
  const { local_scale, local_position } = made.tools.get("zoom");
  return { scale: local_scale, x: local_position.x, y: local_position.y };
};

export const fitOf = (made) => fitScale(made, made.app.screen);

const isZoomed = (made) => viewOf(made).scale > 1.001 * fitOf(made);

const show = (made, wanted) => {
  const { scale, x, y } = boundedView(wanted, made, made.app.screen);
  made.set_image_properties({ scale, position: { x, y } });
  made.tools.get("zoom").min_zoom.set(scale <= 1.001 * fitOf(made));
  letScroll(made);
};

const zoomBy = (made, factor, point) => {
  const fit = fitOf(made);
  show(made, zoomedView(viewOf(made), factor, point, fit, Math.max(MOST, fit)));
};

const fit = (made) => show(made, { scale: fitOf(made), x: 0, y: 0 });

// Moves what is zoomed in, if need be, so that a place of the canvas is seen.
export const reveal = (made, place) => {
  const [across, down] = revealing(place, made.app.screen);
  if (isZoomed(made) && (across || down)) show(made, movedView(viewOf(made), across, down));
};

const middle = (made) => [made.app.screen.width / 2, made.app.screen.height / 2];

// A place of the window, in the canvas.
export const placeOf = (made, event) => {
  const { left, top } = made.app.canvas.getBoundingClientRect();
  return [event.clientX - left, event.clientY - top];
};

// Keeps an event from the editor, which listens after this, and from the page.
export const stop = (event) => {
  event.preventDefault();
  event.stopImmediatePropagation();
};

// The editor itself would keep the page from scrolling, whatever the wheel does.
const wheel = (event) => {
  event.stopPropagation();
  const made = editorInSight();
  if (!made) return;
  const unit = { 1: LINE, 2: made.app.screen.height }[event.deltaMode] ?? 1;
  if (event.ctrlKey || event.metaKey || event.altKey) {
    event.preventDefault();
    zoomBy(made, wheelFactor(event.deltaY * unit), placeOf(made, event));
  } else if (isZoomed(made)) {
    const sideways = event.shiftKey && !event.deltaX;
    const [across, down] = sideways ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
    const before = viewOf(made);
    const after = boundedView(movedView(before, -across * unit, -down * unit), made, made.app.screen);
    if (after.x === before.x && after.y === before.y) return; // at the edge the page goes on
    event.preventDefault();
    show(made, after);
  }
};

const pinch = (made, before, after) => {
  const fit = fitOf(made);
  show(made, pinchedView(viewOf(made), before, after, fit, Math.max(MOST, fit)));
};

const down = (event) => {
  const made = editorInSight();
  if (!made || event.target !== made.app.canvas) return;
  if (event.pointerType === "touch") {
    fingers.set(event.pointerId, placeOf(made, event));
    if (fingers.size > 1) beginPinch(made);
    else if (isMoving()) beginPan(made, event);
    else return;
  } else if (event.button === 1 || (event.button === 0 && (spaceHeld || isMoving()))) beginPan(made, event);
  else return;
  stop(event);
};

const isMoving = () => toolNow() === TOOLS.m;

const beginPinch = (made) => {
  pinching = true;
  panning = null;
  dropStroke(made);
  for (const listener of pinchListeners) listener();
};

const beginPan = (made, event) => {
  panning = { id: event.pointerId, at: placeOf(made, event) };
  made.app.canvas.setPointerCapture(event.pointerId);
  mark();
};

const move = (event) => {
  const made = editorInSight();
  if (!made) return;
  const at = placeOf(made, event);
  if (fingers.has(event.pointerId)) {
    const before = [...fingers.values()];
    fingers.set(event.pointerId, at);
    if (!pinching) return panning ? pan(made, event, at) : undefined;
    const zoomed = isZoomed(made);
    const after = [...fingers.values()];
    if (before.length === 2) pinch(made, before, after);
    // with the whole photo in view two fingers scroll the page, since one paints
    if (!zoomed && before.length === 2) scrollBy(0, (before[0][1] + before[1][1] - after[0][1] - after[1][1]) / 2);
  } else return panning?.id === event.pointerId ? pan(made, event, at) : undefined;
  stop(event);
};

const pan = (made, event, at) => {
  show(made, movedView(viewOf(made), at[0] - panning.at[0], at[1] - panning.at[1]));
  panning.at = at;
  stop(event);
};

const up = (event) => {
  fingers.delete(event.pointerId);
  if (!fingers.size) pinching = false;
  if (panning?.id !== event.pointerId) return;
  panning = null;
  mark();
};

const mark = () => document.querySelector("#canvas")?.classList.toggle("panning", spaceHeld || panning !== null);

// Who moves, and sees all of the photo, scrolls the page by a finger on it: the browser does that, if it is told before.
const letScroll = (made) => {
  const { style } = made.app.canvas;
  const wanted = isMoving() && !isZoomed(made) ? "pan-x pan-y" : "none";
  if (style.touchAction !== wanted) style.touchAction = wanted;
  document.querySelector("#canvas")?.classList.toggle("moving", isMoving());
};

const holdSpace = (held) => {
  spaceHeld = held;
  mark();
};

// Space and arrows belong to a button or a list that was reached by keys, else to the canvas under the pointer.
const isOurs = (made, event) =>
  event.target === document.body ||
  (!focusCameByKeys() && (made.app.canvas.matches(":hover") || event.target === made.app.canvas));

const actOfKey = (made, event) => {
  const { key } = event;
  if (key === "+" || key === "=") return () => zoomBy(made, KEY_FACTOR, middle(made));
  if (key === "-") return () => zoomBy(made, 1 / KEY_FACTOR, middle(made));
  if (key === "0") return () => fit(made);
  if (!isOurs(made, event)) return null;
  if (key === " ") return made.app.canvas.matches(":hover") ? () => holdSpace(true) : null;
  const [across, down] = ARROWS[key] ?? [0, 0];
  if (!(across || down) || !isZoomed(made)) return null;
  return () => show(made, movedView(viewOf(made), across * KEY_STEP, down * KEY_STEP));
};

const press = (event) => {
  const made = editorInSight();
  if (!made || isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = actOfKey(made, event);
  if (!act) return;
  event.preventDefault();
  act();
};

withEachEditor((made) => {
  made.target_element.addEventListener("wheel", wheel, { capture: true, passive: false });
  made.ready.then(() => {
    keepView(made, { viewOf, isZoomed, show });
    made.app.ticker.add(() => made.background_image && letScroll(made));
  });
});

addEventListener("change", (event) => {
  if (editorInSight() && event.target.closest?.("#tool")) letScroll(editorInSight());
});
addEventListener("pointerdown", down, true);
addEventListener("pointermove", move, true);
addEventListener("pointerup", up, true);
addEventListener("pointercancel", up, true);
addEventListener("mousedown", (event) => panning && event.button === 1 && event.preventDefault(), true); // no autoscroll
addEventListener("keydown", press);
addEventListener("keyup", (event) => event.key === " " && holdSpace(false));
addEventListener("blur", () => holdSpace(false));
