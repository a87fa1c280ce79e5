// What a visitor's hands do on the Explore tab.
import { scrollBehavior } from "../shared/elements.js";
import { cellBeside, cellUnder, tipPosition } from "../shared/geometry.js";
import { explorer } from "./explorer.js";
import { element } from "./panels/parts.js";
import { tip } from "./panels/token.js";

const { view } = explorer;
const OUT_OF_SIGHT = 160; // pixels: of the inspector no more than so much shows
const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
const BUTTONS = {
  "xp-reset": explorer.reset,
  "xp-play": explorer.toggle,
  "xp-step": () => explorer.step(1),
};

// The token of a map under the pointer; null where there is none.
const tokenUnder = (event) => {
  const canvas = event.target.closest?.("#xp-root canvas[data-scale]");
  if (!canvas || !view.trace) return null;
  const scale = Number(canvas.dataset.scale);
  const frame = canvas.getBoundingClientRect();
  return { scale, index: cellUnder(frame, view.trace.sides[scale], event.clientX, event.clientY) };
};

const hover = (event) => {
  const shown = element("tip");
  const token = tokenUnder(event);
  if (!shown) return;
  shown.hidden = !token || event.pointerType === "touch";
  if (shown.hidden) return;
  shown.replaceChildren(...tip(view.trace, token));
  const pointer = { x: event.clientX, y: event.clientY };
  const frame = { width: innerWidth, height: innerHeight };
  const { left, top } = tipPosition(pointer, shown.getBoundingClientRect(), frame);
  Object.assign(shown.style, { left: `${left}px`, top: `${top}px` });
};

const hideTip = () => {
  if (element("tip")) element("tip").hidden = true;
};

const click = (event) => {
  if (!view.trace) return;
  const token = tokenUnder(event);
  if (token) chooseAndShow(token);
  else chooseColumn(event);
  BUTTONS[event.target.id]?.();
};

const chooseAndShow = (token) => {
  explorer.choose(token);
  const inspector = element("inspector");
  if (inspector.getBoundingClientRect().bottom >= OUT_OF_SIGHT) return;
  inspector.scrollIntoView({ block: "start", behavior: scrollBehavior() });
};

const chooseColumn = (event) => {
  const column = event.target.closest?.("#xp-strip .xp-column:not(.xp-names)");
  if (!column || event.target.closest("button")) return;
  explorer.show({ scale: [...column.parentNode.children].indexOf(column) - 1 });
};

// Over the large picture arrows move a cursor from token to token; elsewhere they step through the scales.
const moveOnPicture = (event) => {
  const { trace, scale, token, cursor } = view;
  const here = [cursor, token].find((one) => one?.scale === scale)?.index ?? 0;
  if (ARROWS.includes(event.key)) {
    explorer.moveCursor({ scale, index: cellBeside(here, trace.sides[scale], event.key) });
  } else explorer.choose({ scale, index: here });
};

const actOfKey = (event) => {
  const onPicture = event.target.id === "xp-picture";
  if (onPicture && [...ARROWS, "Enter", " "].includes(event.key)) return () => moveOnPicture(event);
  const onButton = event.target.closest("button, [role=tab]");
  const steps = { ArrowLeft: () => explorer.step(-1), ArrowRight: () => explorer.step(1) };
  if (!onButton) steps[" "] = explorer.toggle; // on a button it presses the button
  return steps[event.key];
};

const press = (event) => {
  if (!view.trace || !element("picture")?.offsetParent || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable], [role=tab], dialog, .xp-wide-table")) return;
  const act = actOfKey(event);
  if (!act) return;
  event.preventDefault();
  act();
};

const turn = (event) => {
  if (event.target.closest?.(".settings")) explorer.knobTurned();
};

const slide = (event) => {
  if (event.target.id === "xp-scale" && view.trace) explorer.show({ scale: Number(event.target.value) });
};

const submit = (event) => {
  if (event.target.id !== "xp-mix") return;
  event.preventDefault();
  explorer.mixWith(element("other").value);
};

const keepFocus = (event) => tokenUnder(event) && event.preventDefault(); // which a click would move

document.addEventListener("pointermove", hover);
document.addEventListener("scroll", hideTip, true);
document.addEventListener("mousedown", keepFocus);
document.addEventListener("click", click);
document.addEventListener("keydown", press);
document.addEventListener("pointerdown", turn);
document.addEventListener("input", turn);
document.addEventListener("input", slide);
document.addEventListener("submit", submit);
