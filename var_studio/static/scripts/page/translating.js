// The page in its visitor's language. All code speaks English: what it writes onto the page is translated there, before
// it is seen. What a catalogue does not have stays English, and so does all in elements with translate="no".
import { catalogues } from "../shared/constants.js";
import { languageOf, translator } from "../shared/languages.js";
import { kept, recalled } from "../shared/storage.js";

const LANGUAGES = ["en", ...Object.keys(catalogues)];
const SAID = ["alt", "aria-label", "placeholder", "title"]; // attributes that are read or heard
const LEFT = "script, style, textarea, [contenteditable=true], [translate=no], .class-search ul"; // classes are names

const language = languageOf(recalled("language") ?? navigator.language, LANGUAGES) ?? "en";
const say = translator(catalogues[language] ?? {}, language);
const english = new WeakMap(); // what stood in a text node

const translated = (text) => {
  const words = text.trim().replace(/\s+/g, " ");
  const said = words && say(words);
  return said === words ? text : text.replace(text.trim(), () => said);
};

const translateText = (node) => {
  if (node.parentElement?.closest(LEFT)) return;
  const said = translated(node.data);
  if (said === node.data) return;
  english.set(node, node.data);
  node.data = said;
};

const translateAttributes = (element) => {
  if (element.closest("[translate=no]")) return;
  for (const name of SAID) {
    const text = element.getAttribute(name);
    const said = text && translated(text);
    if (said === text) continue;
    if (name === "aria-label") element.dataset.english = text; // by which scripts find it
    element.setAttribute(name, said);
  }
};

const translateAll = (root) => {
  if (root.nodeType === Node.TEXT_NODE) translateText(root);
  if (root.nodeType !== Node.ELEMENT_NODE) return;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = root; node; node = walker.nextNode()) {
    if (node.nodeType === Node.TEXT_NODE) translateText(node);
    else translateAttributes(node);
  }
};

// What is chosen of a list, which the browser keeps apart from the text of its elements.
const translateChosen = () => {
  for (const box of document.querySelectorAll("input[role=combobox]")) {
    if (box !== document.activeElement && !box.closest(".class-search")) box.value = translated(box.value);
  }
};

const changed = (changes) => {
  for (const { type, target, addedNodes } of changes) {
    if (type === "characterData") translateText(target);
    else if (type === "attributes") translateAttributes(target);
    else addedNodes.forEach(translateAll);
  }
  translateChosen();
  watcher.takeRecords(); // of what it has changed itself
};

const watcher = new MutationObserver(changed);

const start = () => {
  translateAll(document.documentElement);
  watcher.observe(document.documentElement, {
    childList: true,
    subtree: true,
    characterData: true,
    attributes: true,
    attributeFilter: SAID,
  });
};

// What an element says in English.
export const englishOf = (element) => {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let text = "";
  while (walker.nextNode()) text += english.get(walker.currentNode) ?? walker.currentNode.data;
  return text;
};

const choose = (event) => {
  const chosen = event.target.closest?.("[data-language]")?.dataset.language;
  if (!chosen) return;
  kept("language", chosen);
  location.reload();
};

document.documentElement.lang = language;
document.addEventListener("click", choose);
if (language !== "en") start();
// Gradio's own words are in the browser's language, by this alone
if (recalled("language")) Object.defineProperty(navigator, "language", { get: () => language });
