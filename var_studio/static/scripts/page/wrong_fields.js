// Marks the field that an error is about, and writes the error under it, until something else stands there.
import { fieldTerms } from "../shared/constants.js";
import { made } from "../shared/elements.js";
import { fieldIdsOf } from "../shared/words.js";
import { englishOf } from "./translating.js";

const INPUTS = "input:not([type=range]), textarea";
const EVERY = 250; // milliseconds between looks at what stands in a field: the page itself may set it, without an event

const refused = new Map(); // fields, and what stood in them
let looking = 0;

// The field in sight that an error names.
const fieldOf = (text) =>
  fieldIdsOf(text, fieldTerms)
    .map((id) => document.getElementById(id))
    .find((field) => field?.offsetParent);

const inputsOf = (field) => [...field.querySelectorAll(INPUTS)];

const valuesOf = (field) =>
  inputsOf(field)
    .map((input) => input.value)
    .join("\n");

const forget = (field) => {
  refused.delete(field);
  field.querySelector(":scope > .wrong")?.remove();
  for (const input of inputsOf(field)) {
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-describedby");
  }
};

const lookForChanges = () => {
  for (const [field, values] of refused) if (!field.isConnected || valuesOf(field) !== values) forget(field);
  if (refused.size) return;
  clearInterval(looking);
  looking = 0;
};

const mark = (toast) => {
  const told = toast.querySelector("[data-testid=toast-text]");
  const text = told ? englishOf(told).trim() : ""; // translated again where it stands
  const field = fieldOf(text);
  if (!field) return;
  forget(field);
  const words = made("p", text, { id: `wrong_${field.id}`, className: "wrong" });
  field.append(words);
  for (const input of inputsOf(field)) {
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", words.id);
  }
  refused.set(field, valuesOf(field));
  looking ||= setInterval(lookForChanges, EVERY);
  field.scrollIntoView({ block: "nearest" });
};

const look = (changes) => {
  for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
    const toasts = node.querySelectorAll?.("[data-testid=toast-body].error") ?? [];
    for (const toast of node.matches?.("[data-testid=toast-body].error") ? [node] : toasts) mark(toast);
  }
};

const start = () => new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
if (document.body) start();
else document.addEventListener("DOMContentLoaded", start);

// When a run begins anew, what was refused is asked for again.
const begin = (event) => {
  if (event.target.closest(".run")) for (const field of refused.keys()) forget(field);
};

document.addEventListener("input", lookForChanges, true);
document.addEventListener("click", begin, true);
