// The guided tour of the Explore tab: stations on whatever picture is looked at. Each says two sentences, has one thing
// to click and one thing to see.
import { made } from "../shared/elements.js";
import { explorer } from "./explorer.js";
import { element } from "./panels/parts.js";
import { stopRace } from "./tour_figures.js";
import { STATIONS } from "./tour_stations.js";

const PAPER = "https://arxiv.org/abs/2404.02905";
const { view } = explorer;
let station = 0;

const close = () => {
  stopRace();
  if (element("station").contains(document.activeElement)) element("tour").focus({ preventScroll: true });
  element("station").hidden = true;
  element("tour").textContent = "Take the tour";
};

const open = (number) => {
  stopRace();
  station = number;
  const { title, text } = STATIONS[number];
  const head = made("h3", `${number + 1} of ${STATIONS.length}: ${title}`, { tabIndex: -1 });
  const stage = made("div", "", { className: "xp-stage", id: "xp-stage" });
  const seen = made("p", "", { className: "xp-see" });
  element("station").replaceChildren(head, made("p", text(view.trace)), stage, seen, ways(number, seen));
  element("station").hidden = false;
  head.focus({ preventScroll: true });
  element("tour").textContent = "End the tour";
};

// What to click: the thing to see, the paper, and the stations before and after.
const ways = (number, seen) => {
  const { click, see, section, act } = STATIONS[number];
  const show = way(
    click,
    () => {
      seen.textContent = see(view.trace);
      act();
    },
    "xp-show",
  );
  const link = made("a", `the paper, section ${section}`, { href: PAPER, target: "_blank", rel: "noopener" });
  const onward = number + 1 < STATIONS.length ? ["Next", () => open(number + 1)] : ["Done", close];
  const row = made("div", "", { className: "xp-ways" });
  row.append(show, link, made("span", "", { className: "xp-gap" }));
  if (number) row.append(way("Back", () => open(number - 1)));
  row.append(way(...onward, "xp-next"));
  return row;
};

const way = (text, onclick, id = "") => made("button", text, { type: "button", onclick, id });

const toggle = (event) => {
  if (event.target.id !== "xp-tour" || !view.trace) return;
  if (element("station").hidden) open(station);
  else close();
};

document.addEventListener("click", toggle);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && element("station") && !element("station").hidden) close();
});
