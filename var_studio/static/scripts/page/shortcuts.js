// Keys and clicks that work on every tab.
import { scrollBehavior } from "../shared/elements.js";

const NARROW = 720; // pixels: below, pictures stand above the controls, as in the style sheets

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

// On a phone the pictures are above the controls: go there when a run starts.
const showPictures = (event) => {
  if (innerWidth >= NARROW) return;
  const behavior = scrollBehavior();
  if (event.target.closest("#run, #again, #explore_run")) scrollTo({ top: 0, behavior });
  if (event.target.closest("#edit_run")) document.querySelector("#edit_bar").scrollIntoView({ behavior });
};

document.addEventListener("keydown", run, true);
document.addEventListener("click", selectText);
document.addEventListener("click", showPictures);
