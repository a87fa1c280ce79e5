// Lists that are searched by typing: what fits best stands first and is what Enter takes. Gradio's own list keeps the
// order of its choices, so "rose" and Enter would take the first of all that have it in their name.
import { ranked } from "../shared/ranking.js";

const MOVES = ["ArrowDown", "ArrowUp", "Home", "End"];
const OPTION = "[role=option]";
const SETTLED = 60; // milliseconds, until Gradio has written its own list anew

let typing = null; // the box that was typed in since it got the cursor
let chosen = null; // the option that Enter takes

const boxOf = (event) => event.target.closest?.(".class-search input[role=combobox]");
const textOf = (option) => option.getAttribute("aria-label");
const isOpen = (box) => box.getAttribute("aria-expanded") === "true";
const listOf = (box) => document.getElementById(box.getAttribute("aria-controls"));

const fitting = (box) => ranked([...(listOf(box)?.querySelectorAll(OPTION) ?? [])], box.value, textOf);

const mark = (box, options, option) => {
  chosen = option;
  const list = listOf(box);
  if (!list) return;
  list.dataset.ranked = "";
  for (const each of list.querySelectorAll(OPTION)) {
    const place = options.indexOf(each);
    each.style.order = place < 0 ? options.length : place;
    each.toggleAttribute("data-chosen", each === option);
    if (place >= 0) each.setAttribute("aria-posinset", place + 1);
  }
  if (!option) return;
  box.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
};

const show = (box) => {
  if (typing !== box || !isOpen(box)) return;
  const options = fitting(box);
  mark(box, options, options.includes(chosen) ? chosen : (options[0] ?? null));
};

const typed = (event) => {
  const box = boxOf(event);
  if (!box) return;
  typing = box;
  chosen = null;
  setTimeout(() => show(box), SETTLED);
};

const move = (key, options) => {
  const place = options.indexOf(chosen);
  const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: options.length - 1 }[key];
  return options[(to + options.length) % options.length];
};

const take = (event) => {
  event.preventDefault();
  event.stopPropagation();
};

// Without this, Tab goes to the list, which then closes under the cursor.
const leave = (event) => {
  const box = event.target.closest?.("input[role=combobox]");
  if (!box) return;
  event.stopPropagation();
  const list = listOf(box);
  if (list) list.tabIndex = -1;
};

// A box whose list has closed points to no option of it any more. Gradio hears a letter late, and then opens the list
// again of a box that the cursor has left meanwhile.
const closing = new MutationObserver((changes) => {
  for (const { target: box } of changes)
    if (!isOpen(box)) box.removeAttribute("aria-activedescendant");
    else if (box !== document.activeElement)
      box.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
});

const watch = (event) => {
  const box = event.target.closest?.("input[role=combobox]");
  if (box) closing.observe(box, { attributeFilter: ["aria-expanded"] });
};

const press = (event) => {
  if (event.key === "Tab") leave(event);
  const box = boxOf(event);
  if (!box || typing !== box || event.ctrlKey || event.metaKey || event.altKey) return;
  const options = fitting(box);
  if (!options.length || !box.value.trim()) return;
  if (MOVES.includes(event.key)) {
    take(event);
    mark(box, options, move(event.key, options));
  } else if (event.key === "Enter") {
    take(event);
    const option = options.includes(chosen) ? chosen : options[0];
    typing = chosen = null;
    option.dispatchEvent(new MouseEvent("mousedown", { bubbles: true, cancelable: true }));
  }
};

const forget = (event) => {
  const box = boxOf(event);
  if (!box) return;
  const list = listOf(box);
  if (list) delete list.dataset.ranked;
  for (const option of list?.querySelectorAll(OPTION) ?? []) {
    option.style.order = "";
    option.removeAttribute("data-chosen");
  }
  typing = chosen = null;
};

document.addEventListener("input", typed, true);
document.addEventListener("keydown", press, true);
document.addEventListener("focusin", forget, true);
document.addEventListener("focusin", watch, true);
