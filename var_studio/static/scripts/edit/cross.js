// A cross on the Edit tab's canvas that arrow keys move, once the canvas was reached by keys: there it paints, erases,
// or marks what the tool that is chosen needs. Brush and eraser get the events that a mouse would send.

import { announce } from "../page/announcing.js";
import { focusCameByKeys } from "../shared/elements.js";
import { cornersBetween, isFar, placeBeside } from "../shared/geometry.js";
import { placeInWords } from "../shared/words.js";
import { brushRadius, dropStroke } from "./brush.js";
import { editorInSight, withEachEditor } from "./editor.js";
import { paintedShare } from "./mask_look.js";
import { inPixels, send, showLine } from "./selecting.js";
import { chooseOwnTool, TOOLS, takesAway, toolNow } from "./tools.js";
import { fitOf, onPinch, reveal, stop, viewOf } from "./zoom.js";

const STEP = 0.01; // of the photo, where all of it is seen
const LARGE = 5; // steps with Shift
const PAUSE = 400; // milliseconds after a key until the place is told: who holds an arrow wants no more than the end
const NAME =
  "The photo. Arrow keys move a cross, Space paints there, Enter puts the brush down or lifts it. " +
  "With lasso and rectangle Enter marks corners. The question mark lists all keys.";
const MOUSE = { bubbles: true, cancelable: true, composed: true, pointerId: 1, pointerType: "mouse", isPrimary: true };
const LEAST_CORNERS = 3;

let place = [0.5, 0.5]; // of the cross, on the photo
let corners = []; // of a lasso, or the first one of a rectangle
let stroke = null; // the key that holds the brush down: " " while it is pressed, "Enter" until it is pressed again
let telling;

// The editor, while keys move the cross on it.
const crossed = () => {
  const made = editorInSight();
  const on = made && document.activeElement === made.app.canvas && focusCameByKeys() && toolNow() !== TOOLS.m;
  return on ? made : null;
};

const tell = (first = "") => {
  clearTimeout(telling);
  telling = setTimeout(() => {
    const made = editorInSight();
    if (!made) return;
    const share = `painted ${Math.round(100 * paintedShare(made))} % of the photo`;
    announce([first, placeInWords(place), ...(stroke ? [] : [share])].filter(Boolean).join(", "));
  }, PAUSE);
};

const sight = (made) => {
  const found = made.target_element.querySelector(".cross");
  if (found) return found;
  made.target_element.insertAdjacentHTML(
    "beforeend",
    '<svg class="cross" aria-hidden="true"><g>' +
      '<circle></circle><path d="M-14 0H-4M4 0H14M0 -14V-4M0 4V14"></path><path d="M-14 0H-4M4 0H14M0 -14V-4M0 4V14"></path>' +
      "</g></svg>",
  );
  return made.target_element.querySelector(".cross");
};

// Shows the cross where it is, with what the brush covers there, and the lasso or the rectangle that is begun.
const draw = (made) => {
  const shown = sight(made);
  shown.style.display = crossed() ? "" : "none";
  if (!crossed()) return;
  const [x, y] = inPixels(made, place);
  shown.firstChild.setAttribute("transform", `translate(${x} ${y})`);
  shown.querySelector("circle").setAttribute("r", toolNow() === TOOLS.b ? brushRadius(made) : 0);
  if (!corners.length) return;
  showLine(made, toolNow() === TOOLS.r ? cornersBetween(corners[0], place) : [...corners, place]);
};

const mouse = (made, kind, buttons) => {
  const { left, top } = made.app.canvas.getBoundingClientRect();
  const [x, y] = inPixels(made, place);
  const at = { clientX: left + x, clientY: top + y, button: kind === "pointermove" ? -1 : 0, buttons };
  made.app.canvas.dispatchEvent(new PointerEvent(kind, { ...MOUSE, ...at }));
};

const putDown = (made, key) => {
  if (!["draw", "erase"].includes(made.tools.get("brush").current_tool)) chooseOwnTool("Brush");
  stroke = key;
  mouse(made, "pointermove", 0);
  mouse(made, "pointerdown", 1);
};

const lift = () => {
  const made = editorInSight();
  if (stroke && made) {
    mouse(made, "pointerup", 0);
    made.tools.get("brush").brush_cursor?.set_active(false); // the editor's own would stay there; a mouse brings it back
  }
  stroke = null;
};

// What was begun and not ended is as if it had never been.
const drop = () => {
  const made = editorInSight();
  if (made && stroke) dropStroke(made);
  if (made && corners.length) showLine(made, []);
  lift();
  corners = [];
};

const paint = (made, key, repeated) => {
  if (repeated) return;
  const before = stroke;
  lift();
  if (before !== "Enter") putDown(made, key);
  tell(key === "Enter" ? `brush ${stroke ? "down" : "lifted"}` : "");
};

const isNear = (made, other) => !isFar(inPixels(made, place), inPixels(made, other), 1);

// A corner of a lasso; the same place once more closes it.
const mark = (made, takes) => {
  if (corners.length && isNear(made, corners.at(-1))) {
    if (corners.length < LEAST_CORNERS) return tell(`a lasso needs ${LEAST_CORNERS} corners`);
    send(TOOLS.l, corners, takes);
    drop();
    return tell("lasso closed");
  }
  corners.push(place);
  return tell(`corner ${corners.length}`);
};

// A corner of a rectangle; the second, opposite one ends it.
const markRectangle = (made, takes) => {
  if (!corners.length) {
    corners.push(place);
    return tell("first corner");
  }
  if (isNear(made, corners[0])) return tell("a rectangle needs another corner");
  send(TOOLS.r, [corners[0], place], takes);
  drop();
  return tell("rectangle closed");
};

const act = (made, event) => {
  const takes = event.shiftKey || takesAway();
  if (event.key === "Escape") {
    if (!stroke && !corners.length) return false;
    drop();
    tell("dropped");
  } else if (event.key !== " " && event.key !== "Enter") return false;
  else if (toolNow() === TOOLS.b) paint(made, event.key, event.repeat);
  else if (event.repeat) return true;
  else if (toolNow() === TOOLS.l) mark(made, takes);
  else if (toolNow() === TOOLS.r) markRectangle(made, takes);
  else send(TOOLS.s, [place], takes);
  return true;
};

const move = (made, event) => {
  const size = (STEP * fitOf(made)) / viewOf(made).scale;
  const next = placeBeside(place, event.key, event.shiftKey ? LARGE * size : size);
  if (!next) return false;
  place = next;
  reveal(made, inPixels(made, place));
  if (stroke) mouse(made, "pointermove", 1);
  tell();
  return true;
};

const press = (event) => {
  const made = crossed();
  if (!made || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!move(made, event) && !act(made, event)) return;
  event.preventDefault();
  event.stopPropagation();
  draw(made);
};

const release = (event) => {
  if (stroke !== event.key || stroke === "Enter") return;
  lift();
  tell();
};

const leave = () => {
  lift();
  drop();
  const made = editorInSight();
  if (made) draw(made);
};

withEachEditor((made) => {
  made.ready.then(() => {
    const { canvas, ticker } = made.app;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", NAME);
    ticker.add(() => {
      canvas.tabIndex = made.background_image ? 0 : -1;
      if (made.background_image) draw(made);
    });
    canvas.addEventListener("focusin", () => {
      if (!crossed()) return;
      draw(made);
      tell();
    });
    canvas.addEventListener("blur", leave);
  });
});

// Who takes up a mouse needs no cross: the click that follows gives the canvas its focus anew, and not by keys.
const yieldToPointer = (event) => {
  if (!event.isTrusted) return;
  leave();
  const { activeElement } = document;
  if (activeElement === event.target && activeElement === editorInSight()?.app.canvas) activeElement.blur();
};

// A mouse that is moved meanwhile is not what draws.
const spare = (event) => stroke && event.isTrusted && stop(event);

onPinch(drop);
addEventListener("change", (event) => event.target.closest?.("#tool") && drop()); // what was begun with another tool
addEventListener("pointermove", spare, true);
addEventListener("pointerdown", yieldToPointer, true);
addEventListener("keydown", press, true);
addEventListener("keyup", release, true);
