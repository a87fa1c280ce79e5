// Keys and clicks that work on every tab.
import { scrollBehavior } from "../shared/elements.js";

const NARROW = 720; // pixels: below, pictures stand above the controls, as in the style sheets
const WIDE = 1100; // from here on, Edit's results stand beside the canvas

// Ctrl-Enter (or Cmd-Enter) runs, wherever the cursor is.
const run = (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  event.stopPropagation();
  document.activeElement?.blur(); // a box being typed in hands over its value when it loses the cursor
  setTimeout(() => [...document.querySelectorAll(".run")].find((button) => button.offsetParent)?.click());
};

// A click into the class box selects what it says, so that typing replaces it.
const selectText = (event) =>
  event.target.closest("#class input, #into input, #explore_class input, #model input")?.select();

// When a run starts, go to where its pictures appear: on a phone they are above the controls, in Edit below the canvas,
// or beside it, where there is room.
const showPictures = (event) => {
  const behavior = scrollBehavior();
  const narrow = innerWidth < NARROW;
  if (narrow && event.target.closest("#run, #alike, #grid_run, #explore_run")) scrollTo({ top: 0, behavior });
  if (!event.target.closest("#edit_run")) return;
  if (innerWidth >= WIDE) return document.querySelector("#shaping").scrollIntoView({ behavior, block: "nearest" });
  const bar = document.querySelector("#edit_bar");
  if (narrow || bar.getBoundingClientRect().bottom > innerHeight / 2) bar.scrollIntoView({ behavior });
};

document.addEventListener("keydown", run, true);
document.addEventListener("click", selectText);
document.addEventListener("click", showPictures);
