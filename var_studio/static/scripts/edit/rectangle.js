// On the Edit tab's small photo: a drag, or a click or Enter on each of two corners, writes a rectangle into the box below.
import { announce } from "../page/announcing.js";
import { typeInto } from "../shared/elements.js";
import { fractionsIn, inPixels, placeBeside, rectangleBetween } from "../shared/geometry.js";
import { placeInWords } from "../shared/words.js";

const LEAST_DRAG = 0.01; // of the photo; less is a click
const STEP = 0.01; // of the photo, by an arrow key
const LARGE = 5; // steps with Shift
let drawn = null; // {picker, start: [x, y] in fractions of the photo, held: whether the button is down}
let cross = [0.5, 0.5]; // which arrow keys move

const spot = (picker, event) => fractionsIn(picker.getBoundingClientRect(), event.clientX, event.clientY);

const draw = (end) => {
  const [left, top, right, bottom] = rectangleBetween(drawn.start, end);
  const frame = { left, top, width: right - left, height: bottom - top };
  const style = drawn.picker.querySelector("i").style;
  style.display = "block";
  for (const [name, part] of Object.entries(frame)) style[name] = `${100 * part}%`;
  return [left, top, right, bottom];
};

const begin = (event) => {
  const picker = event.target.closest(".picker");
  if (!picker || event.button) return;
  event.preventDefault();
  if (drawn?.picker !== picker) drawn = { picker, start: spot(picker, event) };
  drawn.held = true;
  draw(spot(picker, event));
};

const end = (event) => {
  if (!drawn?.held) return;
  const { picker } = drawn;
  const rectangle = draw(spot(picker, event));
  const [left, top, right, bottom] = rectangle;
  drawn.held = false;
  if (right - left < LEAST_DRAG && bottom - top < LEAST_DRAG) return; // a click: the next one is the other corner
  write(picker, rectangle);
};

const write = (picker, rectangle) => {
  const corners = document.querySelector("#corners input, #corners textarea");
  typeInto(corners, inPixels(rectangle, Number(picker.dataset.width), Number(picker.dataset.height)).join(", "));
  drawn = null;
  return corners.value;
};

const drop = (picker) => {
  drawn = null;
  picker.querySelector("i").style.display = "none";
  return "dropped";
};

const mark = (picker) => {
  if (drawn?.picker === picker) return `rectangle ${write(picker, draw(cross))}`;
  drawn = { picker, start: cross, held: false };
  draw(cross);
  return "first corner";
};

const showCross = (picker) => {
  const style = picker.querySelector("b").style;
  [style.left, style.top] = cross.map((part) => `${100 * part}%`);
  if (drawn?.picker === picker) draw(cross);
};

const press = (event) => {
  const picker = event.target.closest?.(".picker");
  if (!picker || event.ctrlKey || event.metaKey || event.altKey) return;
  const moved = placeBeside(cross, event.key, STEP * (event.shiftKey ? LARGE : 1));
  cross = moved ?? cross;
  let said = "";
  if (event.key === "Enter" || event.key === " ") said = event.repeat ? "" : mark(picker);
  else if (event.key === "Escape" && drawn) said = drop(picker);
  else if (!moved) return;
  event.preventDefault();
  event.stopPropagation();
  showCross(picker);
  announce([said, placeInWords(cross)].filter(Boolean).join(", "));
};

document.addEventListener("focusin", (event) => event.target.matches?.(".picker") && showCross(event.target));
document.addEventListener("pointerdown", begin);
document.addEventListener("pointermove", (event) => drawn?.held && draw(spot(drawn.picker, event)));
document.addEventListener("pointerup", end);
addEventListener("keydown", press, true);
