// Marks the field that an error is about, until something else is written there.
import { fieldIdsOf } from "../shared/words.js";
import { englishOf } from "./translating.js";

const INPUTS = "input:not([type=range]), textarea";

// The field in sight that an error names.
const fieldOf = (text) =>
  fieldIdsOf(text)
    .map((id) => document.getElementById(id))
    .find((field) => field?.offsetParent);

const mark = (toast) => {
  const text = toast.querySelector("[data-testid=toast-text]");
  const field = fieldOf(text ? englishOf(text).trim() : "");
  if (!field) return;
  for (const input of field.querySelectorAll(INPUTS)) input.setAttribute("aria-invalid", "true");
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

// Whatever is set, also by the page itself when a run begins anew, is no longer what was refused.
const forget = (event) => {
  const all = event.target.closest(".run") ? document : event.target.closest(".block");
  for (const input of all?.querySelectorAll("[aria-invalid]") ?? []) input.removeAttribute("aria-invalid");
};

document.addEventListener("input", forget, true);
document.addEventListener("click", (event) => event.target.closest(".run") && forget(event), true);
