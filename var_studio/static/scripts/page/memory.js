// What the browser remembers of the settings, and how it forgets them.
import { dropAll } from "../shared/storage.js";
import { isOpen } from "./opening.js";
import { setTheme } from "./theme.js";

let touched = false; // by the visitor: what a link or the page's own beginning says is not to be remembered
let forgotten = false;

const model = () => document.querySelector("#header [data-model]")?.dataset.model;

// What to keep now that the settings of these names have these values. Until the page has been told what they were the
// last time, most of them have those of its own beginning.
export const remember = (kept, names, values) => {
  if (!touched || !isOpen()) return forgotten ? null : kept;
  return { model: model(), values: Object.fromEntries(names.map((name, index) => [name, values[index]])) };
};

// Forget all, and remember again only after the visitor's next act.
export const forget = () => {
  touched = false;
  forgotten = true;
  dropAll();
  document.documentElement.classList.add("newcomer");
  setTheme("system");
};

const touch = () => {
  touched = true;
};

document.addEventListener("pointerdown", touch, true);
document.addEventListener("keydown", touch, true);
