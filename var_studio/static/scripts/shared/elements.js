// Elements of the page.

export const made = (kind, text = "", properties = {}) =>
  Object.assign(document.createElement(kind), { textContent: text, ...properties });

export const box = (className, parts, kind = "div") => {
  const element = made(kind, "", { className });
  element.append(...parts);
  return element;
};

// A heading with a quieter text beside it.
export const titled = (kind, text, more) => box("", [text, made("span", ` ${more}`)], kind);

export const pressed = (element, on) => {
  element.setAttribute("aria-pressed", String(on));
  return element;
};

// Writes a text into a text box, as its user does.
export const typeInto = (taker, text) => {
  taker.value = text;
  taker.dispatchEvent(new Event("input", { bubbles: true }));
};

// How the page may scroll, as its visitor wants it.
export const scrollBehavior = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth");

const SWITCHES = ["button", "checkbox", "color", "file", "radio", "range", "reset", "submit"];

// Whether letters that are typed now go into a text box, or to a dialog.
export const isTyping = (target) => {
  const taker = target.closest?.("input, textarea, select, [contenteditable=true], dialog[open]");
  return Boolean(taker) && !SWITCHES.includes(taker.type);
};

// Whether the element that has the focus was reached by keys, and not by a click.
let keysLast = false;
let byKeys = false;
addEventListener("keydown", () => (keysLast = true), true);
addEventListener("pointerdown", () => (keysLast = false), true);
addEventListener("focusin", () => (byKeys = keysLast), true);
export const focusCameByKeys = () => byKeys;
