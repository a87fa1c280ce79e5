// Keys that go from tab to tab, and from choice to choice.
import { focusCameByKeys } from "../shared/elements.js";
import { besideInRow } from "../shared/rows.js";

const TABS = ["create", "edit", "explore", "learn"];

export const tabButton = (name) => {
  const found = [...document.querySelectorAll(`[role=tab][data-tab-id="${name}"]`)];
  return (
    found.find((button) => button.offsetParent && button.checkVisibility({ visibilityProperty: true })) ?? found[0]
  );
};

const toTab = (event) => {
  const number = event.altKey && !event.ctrlKey && !event.metaKey && /^Digit([1-4])$/.exec(event.code)?.[1];
  if (!number || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  tabButton(TABS[number - 1])?.click();
};

const rowOf = (target) => {
  if (target.role === "tab") return [...target.closest("[role=tablist]").querySelectorAll("[role=tab]")];
  if (target.type === "radio") return [...target.closest("fieldset").querySelectorAll("input[type=radio]:enabled")];
  return [];
};

const alongRow = (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.target.role === "tab" && !focusCameByKeys()) return; // who clicked a tab means what it shows
  const other = besideInRow(rowOf(event.target), event.target, event.key);
  if (!other) return;
  event.preventDefault();
  event.stopPropagation();
  other.focus();
  other.click();
};

// A row of choices is one stop of the Tab key: what is not chosen is left out while the focus goes on.
const pastRow = (event) => {
  if (event.key !== "Tab" || event.target.type !== "radio") return;
  const others = rowOf(event.target).filter((radio) => radio !== event.target);
  for (const radio of others) radio.tabIndex = -1;
  setTimeout(() => {
    for (const radio of others) radio.tabIndex = 0;
  });
};

document.addEventListener("keydown", toTab, true);
document.addEventListener("keydown", alongRow, true);
document.addEventListener("keydown", pastRow, true);
