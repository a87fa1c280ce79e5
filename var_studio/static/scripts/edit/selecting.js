// Lasso, rectangle and "similar colour" on the Edit tab's canvas: what is drawn goes to the server as places relative to
// the photo.
import { typeInto } from "../shared/elements.js";
import { clamp, cornersBetween, isFar, thinned } from "../shared/geometry.js";
import { editorInSight, editorNow } from "./editor.js";
import { chooseTool, TOOLS, takesAway, toolNow } from "./tools.js";
// listens before this: a drag that moves the photo is no line
import { onPinch, placeOf, stop, viewOf } from "./zoom.js";

const LEAST_STEP = 3; // pixels between points of a line
const MOST_POINTS = 2000; // the server takes a few more
const DIGITS = 5; // of their places, which are sent as text: a tenth of a pixel of a large photo
const OWN_TOOLS = "#canvas .toolbar-wrap button"; // of the editor
const DRAWN = [TOOLS.l, TOOLS.r, TOOLS.s]; // tools that tell the server a shape
const CLICK = 8; // pixels that a hand may move within a click
const LEAST_SIDE = 2; // pixels of a rectangle

let drawn = null; // {id: the pointer's number, points: of the photo, from 0 to 1, takes}

// A place of the window as one of the photo, from 0 to 1 within it.
const onPhoto = (made, event) => {
  const [across, down] = placeOf(made, event);
  const { scale, x, y } = viewOf(made);
  return [(across - x) / (scale * made.width), (down - y) / (scale * made.height)];
};

// Whether a rectangle between two places has some of the photo in it.
const holdsSome = ([x0, y0], [x1, y1]) =>
  Math.min(x0, x1) < 1 && Math.max(x0, x1) > 0 && Math.min(y0, y1) < 1 && Math.max(y0, y1) > 0;

const isInside = (place) => place.every((part) => part >= 0 && part <= 1);

// The inverse, but in the canvas.
export const inPixels = (made, [x, y]) => {
  const view = viewOf(made);
  return [view.x + x * made.width * view.scale, view.y + y * made.height * view.scale];
};

const outline = (made) => {
  const found = made.target_element.querySelector(".lasso");
  if (found) return found;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "lasso");
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "polygon"));
  made.target_element.append(svg);
  return svg;
};

// Shows a closed line through places of the photo.
export const showLine = (made, places) => {
  const points = places.map((place) => inPixels(made, place).join(","));
  outline(made).firstChild.setAttribute("points", points.join(" "));
};

let sent = 0; // shapes; the box tells only of a text that is new

const rounded = (part) => Number(part.toFixed(DIGITS));

// Has the server paint, or take away, what a shape holds.
export const send = (tool, points, takes) => {
  sent += 1;
  const box = document.querySelector("#shape textarea, #shape input");
  const within = points.map((place) => place.map((part) => rounded(clamp(part, 0, 1))));
  if (box) typeInto(box, JSON.stringify({ tool, points: within, takes, sent }));
};

const drop = () => {
  drawn = null;
  if (editorNow()?.background_image) showLine(editorNow(), []);
};

// The editor's own cursor shows only with the editor's own tools.
const showCursor = (made, on) => {
  const { brush_cursor, current_tool } = made.tools.get("brush");
  brush_cursor?.set_active(on && ["draw", "erase"].includes(current_tool));
  document.querySelector("#canvas").classList.toggle("selecting", !on);
};

const begin = (event) => {
  const made = editorInSight();
  if (!made || event.target !== made.app.canvas || !DRAWN.includes(toolNow())) return;
  stop(event);
  if (event.button || drawn) return;
  document.activeElement?.blur(); // as a click does that nobody stops
  drawn = { id: event.pointerId, points: [onPhoto(made, event)], takes: event.shiftKey || event.altKey || takesAway() };
  made.app.canvas.setPointerCapture(event.pointerId);
};

const go = (event) => {
  const made = editorInSight();
  if (!made || (event.target !== made.app.canvas && drawn?.id !== event.pointerId)) return;
  const brush = toolNow() === TOOLS.b;
  showCursor(made, brush);
  if (brush) return;
  stop(event);
  if (drawn?.id !== event.pointerId) return;
  const place = onPhoto(made, event);
  if (toolNow() === TOOLS.r) {
    drawn.points[1] = place;
    showLine(made, cornersBetween(...drawn.points));
  }
  if (toolNow() !== TOOLS.l) return;
  if (!isFar(inPixels(made, place), inPixels(made, drawn.points.at(-1)), LEAST_STEP)) return;
  drawn.points.push(place);
  showLine(made, drawn.points);
};

const end = (event) => {
  if (drawn?.id !== event.pointerId) return;
  const made = editorInSight();
  const { points, takes } = drawn;
  drop();
  if (!made) return;
  const tool = toolNow();
  const [first, last] = points;
  if (tool === TOOLS.l && points.length > 2) {
    send(tool, thinned(points, MOST_POINTS), takes);
  } else if (tool === TOOLS.r && last && isWide(made, first, last) && holdsSome(first, last)) {
    send(tool, [first, last], takes);
  } else if (tool === TOOLS.s && isInside(first) && !isFar(placeOf(made, event), inPixels(made, first), CLICK)) {
    send(tool, [first], takes);
  }
};

// Whether a drag was one, and drew a rectangle with both its sides.
const isWide = (made, one, other) => {
  const [[x0, y0], [x1, y1]] = [one, other].map((place) => inPixels(made, place));
  return Math.min(Math.abs(x1 - x0), Math.abs(y1 - y0)) >= LEAST_SIDE;
};

const press = (event) => event.key === "Escape" && drawn && drop();

// Who takes one of the editor's own tools wants to use it.
const takeOwnTool = (event) => event.target.closest?.(OWN_TOOLS) && toolNow() !== TOOLS.b && chooseTool(TOOLS.b);

onPinch(drop);
addEventListener("pointerdown", begin, true);
addEventListener("pointermove", go, true);
addEventListener("pointerup", end, true);
addEventListener("pointercancel", drop, true);
addEventListener("keydown", press);
addEventListener("click", takeOwnTool, true);
