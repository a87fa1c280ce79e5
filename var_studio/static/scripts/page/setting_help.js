// A "?" beside each setting that has pictures of what it does; they are fetched when they are first asked for.
import { settingPictures } from "../shared/constants.js";
import { box, focusCameByKeys, made } from "../shared/elements.js";
import { tipPosition } from "../shared/geometry.js";
import { settingOf } from "../shared/words.js";

const GRACE = 250; // milliseconds in which the pointer may go from the button to the pictures
let shown = null; // the button whose pictures are shown
let pinned = false; // by a click: they stay when the pointer leaves
let leaving;

const panel = () => {
  const found = document.querySelector("#setting_help");
  if (found) return found;
  const fresh = made("div", "", { id: "setting_help", popover: "manual" });
  fresh.setAttribute("role", "tooltip");
  document.querySelector(".gradio-container main").append(fresh); // where the theme's colours are known
  return fresh;
};

const fill = (name) => {
  const { label, values } = settingPictures[name];
  const picture = made("img", "", {
    src: `${globalThis.gradio_config?.root ?? ""}/settings/${name}.webp`,
    alt: `${values.length} pictures that differ in nothing but ${label}:`,
    width: 128 * values.length + 6 * (values.length - 1),
    height: 128,
  });
  picture.onload = place;
  panel().replaceChildren(
    picture,
    box(
      "values",
      values.map((value) => made("span", value)),
    ),
  );
};

const place = () => {
  if (!shown) return;
  const { left, bottom } = shown.getBoundingClientRect();
  const frame = { width: innerWidth, height: innerHeight };
  const at = tipPosition({ x: left - 14, y: bottom - 10 }, panel().getBoundingClientRect(), frame);
  Object.assign(panel().style, { left: `${Math.max(8, at.left)}px`, top: `${at.top}px` });
};

const hide = () => {
  clearTimeout(leaving);
  if (!shown) return;
  shown.setAttribute("aria-expanded", "false");
  shown.removeAttribute("aria-describedby");
  shown = null;
  pinned = false;
  panel().hidePopover();
};

const show = (button) => {
  clearTimeout(leaving);
  if (shown === button) return;
  hide();
  shown = button;
  fill(button.dataset.setting);
  button.setAttribute("aria-expanded", "true");
  button.setAttribute("aria-describedby", "setting_help");
  panel().showPopover();
  place();
};

const helpOf = (event) => event.target.closest?.("button.help");

const click = (event) => {
  const button = helpOf(event);
  if (!button) return event.target.closest?.("#setting_help") ? undefined : hide();
  if (pinned && shown === button) return hide();
  show(button);
  pinned = true;
};

const enter = (event) => {
  if (event.pointerType === "touch") return;
  if (helpOf(event)) show(helpOf(event));
  else if (event.target.closest?.("#setting_help")) clearTimeout(leaving);
};

const leave = (event) => {
  if (event.pointerType === "touch" || pinned || !event.target.closest?.("button.help, #setting_help")) return;
  clearTimeout(leaving);
  leaving = setTimeout(hide, GRACE);
};

const press = (event) => {
  if (event.key !== "Escape" || !shown) return;
  event.stopPropagation();
  hide();
};

const add = (block) => {
  const name = settingOf(block.id, Object.keys(settingPictures));
  const button = made("button", "?", { type: "button", className: "help" });
  button.dataset.setting = name;
  button.setAttribute("aria-label", `${settingPictures[name].label}: pictures of what it does`);
  button.setAttribute("aria-expanded", "false");
  block.append(button);
};

let looking = false;
const look = () => {
  looking = false;
  if (shown && !shown.isConnected) hide();
  for (const block of document.querySelectorAll(".pictured:not(:has(> .help))")) add(block);
};

// What an accordion holds is not in the page until it is unfolded.
const changed = () => {
  if (!looking) requestAnimationFrame(look);
  looking = true;
};

const start = () => new MutationObserver(changed).observe(document.body, { childList: true, subtree: true });
if (document.body) start();
else document.addEventListener("DOMContentLoaded", start);

document.addEventListener("click", click);
document.addEventListener("pointerover", enter);
document.addEventListener("pointerout", leave);
document.addEventListener("focusin", (event) => helpOf(event) && focusCameByKeys() && show(helpOf(event)));
document.addEventListener("focusout", (event) => event.target === shown && hide());
document.addEventListener("scroll", place, true);
addEventListener("keydown", press, true);
