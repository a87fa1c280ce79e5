// What bars say is read out to those who do not see them: in one place that stays, at most every two seconds.
import { made } from "../shared/elements.js";

const EVERY = 2000; // milliseconds: more often nobody could listen
let line = null;
let waiting = false;
let last = "";
let said = 0;

export const announce = (text) => {
  if (!line?.isConnected) {
    line = made("div", "", { id: "announcer", className: "unseen" });
    line.setAttribute("role", "status");
    document.body.append(line);
  }
  line.textContent = text;
};

// What the bar in sight says now.
const shown = () => [...document.querySelectorAll(".bar > span")].find((span) => span.offsetParent)?.textContent ?? "";

const look = () => {
  waiting = false;
  const text = shown();
  if (text === last) return;
  last = text;
  said = Date.now();
  announce(text);
};

const changed = () => {
  if (waiting) return;
  waiting = true;
  setTimeout(look, Math.max(100, said + EVERY - Date.now()));
};

const start = () => new MutationObserver(changed).observe(document.body, { childList: true, subtree: true });
if (document.body) start();
else document.addEventListener("DOMContentLoaded", start);
