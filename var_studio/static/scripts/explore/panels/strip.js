// The film strip: a column a scale, coarse to fine.
import { box, made, pressed } from "../../shared/elements.js";
import { percent, sizeOf } from "../../shared/words.js";
import { LAYERS } from "../layers.js";
import { canvas, paint } from "../painting.js";
import { attentionOf, ofScale, sum } from "../trace.js";
import { button, element } from "./parts.js";

const SMALL = 160; // pixels along a side of a map

export const strip = (view, acts) => {
  const { trace, layer } = view;
  const heated = LAYERS[layer].unit || ["unguided", "attention"].includes(layer);
  const rows = ["tokens", "picture", "added", heated ? layer : "probability"];
  const seen = layer === "attention" ? attentionOf(view) : null;
  const names = rows.map((row) => made("span", LAYERS[row].name, { title: LAYERS[row].says }));
  const columns = trace.sides.map((side, scale) =>
    box("xp-column", [
      head(side),
      ...rows.map((row) => map(view, row, scale)),
      ...foot(trace, seen, scale),
      scaleActs(trace, acts, scale),
    ]),
  );
  element("strip").style.setProperty("--scales", trace.sides.length);
  element("strip").replaceChildren(box("xp-column xp-names", [box("xp-head", []), ...names]), ...columns);
  current(view);
};

const head = (side) =>
  box("xp-head", [made("b", sizeOf(side)), made("span", side === 1 ? "1 token" : `${side * side} tokens`)]);

const map = (view, row, scale) => {
  const target = canvas(SMALL);
  Object.assign(target.dataset, { scale, row });
  paint(target, view, row, scale);
  return target;
};

const foot = (trace, seen, scale) => {
  if (!seen) return [];
  const words = percent(sum([...ofScale(trace, seen, scale)]));
  return [made("span", words, { className: "xp-fraction", title: "of the chosen token's attention" })];
};

const scaleActs = (trace, acts, scale) => {
  if (!trace.live) return box("xp-acts", []);
  const locked = trace.locked.includes(scale);
  const lock = button(`lock-${scale}`, locked ? "Locked" : "Lock", () => acts.lock(scale), {
    ariaLabel: `Lock scale ${scale + 1}`,
    title: "A locked scale keeps its tokens when others are drawn anew",
  });
  const again = button(`reroll-${scale}`, "Re-roll", () => acts.ask({ does: "reroll", scale }), {
    ariaLabel: `Re-roll from scale ${scale + 1}`,
    title: scale ? "Keep all coarser scales, draw from here on with a new seed" : "Draw all scales with a new seed",
  });
  return box("xp-acts", [pressed(lock, locked), again]);
};

// Mark the scale that is shown large, in the strip and in the table.
export const current = ({ scale }) => {
  const frame = element("strip");
  for (const [at, column] of frame.querySelectorAll(".xp-column:not(.xp-names)").entries()) {
    column.classList.toggle("xp-current", at === scale);
  }
  for (const [at, row] of element("costs").querySelectorAll("tr").entries()) {
    row.classList.toggle("xp-current", at === scale + 1);
  }
  const column = frame.children[scale + 1];
  if (!column) return;
  const middle = 0.5 * (frame.clientWidth - column.clientWidth);
  frame.scrollTo({ left: column.offsetLeft - frame.offsetLeft - middle });
};
