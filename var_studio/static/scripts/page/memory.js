// What the browser remembers of the settings, and how it forgets them.
import { dropAll } from "../shared/storage.js";
import { isOpened } from "./opening.js";
import { setTheme } from "./theme.js";

let forgetting = false;

const model = () => document.querySelector("#header [data-model]")?.dataset.model;

// What to keep now that the settings of these names have these values; before the page's own have arrived, what is kept.
export const remember = (kept, names, values) => {
  if (!isOpened()) return kept;
  if (forgetting) return null;
  return { model: model(), values: Object.fromEntries(names.map((name, index) => [name, values[index]])) };
};

// Forget all, and remember again only what the visitor changes after this.
export const forget = () => {
  forgetting = true;
  dropAll();
  document.documentElement.classList.add("newcomer");
  setTheme("system");
};

const go = () => {
  forgetting = false;
};

document.addEventListener("pointerdown", go, true);
document.addEventListener("keydown", go, true);
