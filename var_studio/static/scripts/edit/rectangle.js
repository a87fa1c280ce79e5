// On the Edit tab's small photo: a drag, or a click on each of two corners, writes a rectangle into the box below.
import { typeInto } from "../shared/elements.js";
import { fractionsIn, inPixels, rectangleBetween } from "../shared/geometry.js";

const LEAST_DRAG = 0.01; // of the photo; less is a click
let drawn = null; // {picker, start: [x, y] in fractions of the photo, held: whether the button is down}

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
  const corners = document.querySelector("#corners input, #corners textarea");
  typeInto(corners, inPixels(rectangle, Number(picker.dataset.width), Number(picker.dataset.height)).join(", "));
  drawn = null;
};

document.addEventListener("pointerdown", begin);
document.addEventListener("pointermove", (event) => drawn?.held && draw(spot(drawn.picker, event)));
document.addEventListener("pointerup", end);
