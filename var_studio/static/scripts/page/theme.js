// Light, dark or as the system: the button in the header goes from one to the next, and the browser remembers it.
import { kept, recalled } from "../shared/storage.js";
import { announce } from "./announcing.js";

const TOLD = { system: "as the system", light: "light", dark: "dark" };
const THEMES = Object.keys(TOLD);
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
let theme = THEMES.find((name) => name === recalled("theme")) ?? "system";
let asked = theme !== "system" && !new URLSearchParams(location.search).has("__theme"); // else it is up to Gradio

const wear = () => {
  document.documentElement.dataset.theme = theme;
  const dark = theme === "dark" || (theme === "system" && systemIsDark.matches);
  if (asked && document.body.classList.contains("dark") !== dark) document.body.classList.toggle("dark", dark);
};

export const setTheme = (name) => {
  theme = name;
  asked = true;
  wear();
};

const next = (event) => {
  if (!event.target.closest("#theme_button")) return;
  setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
  kept("theme", theme);
  announce(`Theme: ${TOLD[theme]}`);
};

const start = () => {
  wear();
  // Gradio sets its own when the page begins, and again when the system's changes
  new MutationObserver(wear).observe(document.body, { attributeFilter: ["class"] });
};

document.documentElement.dataset.theme = theme;
document.addEventListener("click", next);
if (document.body) start();
else document.addEventListener("DOMContentLoaded", start);
