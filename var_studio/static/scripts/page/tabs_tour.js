// A tour of the four tabs, which the header offers; until it was taken once, so that newcomers see it.
import { box, made } from "../shared/elements.js";
import { kept, recalled } from "../shared/storage.js";
import { tabButton } from "./tab_keys.js";

const STATIONS = [
  [
    "create",
    "Create: make a picture",
    "Choose what to draw and press Run. The picture begins coarse and sharpens scale by scale. All else may stay as it is.",
  ],
  [
    "edit",
    "Edit: change a photo",
    "Open a photo, paint over what shall change, press Run. What you did not paint stays as it was, to the pixel.",
  ],
  [
    "explore",
    "Explore: look inside",
    "See the squares (tokens) of which a picture is made and what the model thought of each; change one, and see what follows.",
  ],
  [
    "learn",
    "Learn: how it works",
    "Short lessons on a live picture: why it is drawn from coarse to fine, and what that saves.",
  ],
];

let panel = null;

const close = () => {
  if (!panel) return;
  const inside = panel.contains(document.activeElement);
  panel.remove();
  panel = null;
  kept("tour", "seen");
  document.documentElement.classList.remove("newcomer");
  if (inside) document.querySelector("#tour_button")?.focus();
};

const way = (text, onclick, className = "") => made("button", text, { type: "button", onclick, className });

const go = (number) => {
  const [tab, title, text] = STATIONS[number];
  tabButton(tab)?.click();
  const head = made("h2", title, { id: "tour_title", tabIndex: -1 });
  const last = number + 1 === STATIONS.length;
  const ways = [
    made("span", `${number + 1} of ${STATIONS.length}`),
    ...(last ? [] : [way("Skip", close)]),
    ...(number ? [way("Back", () => go(number - 1))] : []),
    last ? way("Done", finish, "onward") : way("Next", () => go(number + 1), "onward"),
  ];
  panel.replaceChildren(head, made("p", text), box("ways", ways));
  head.focus({ preventScroll: true });
};

// It ends where one begins.
const finish = () => {
  tabButton(STATIONS[0][0])?.click();
  close();
};

const open = () => {
  panel = made("section", "", { id: "tabs_tour" });
  panel.setAttribute("role", "dialog");
  panel.setAttribute("aria-labelledby", "tour_title");
  document.querySelector(".gradio-container").append(panel);
  go(0);
};

document.documentElement.classList.toggle("newcomer", recalled("tour") !== "seen");
document.addEventListener("click", (event) => {
  if (!event.target.closest("#tour_button")) return;
  if (panel) close();
  else open();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && panel?.contains(event.target)) close();
});
