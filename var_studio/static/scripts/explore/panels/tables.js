// What each scale costs, and which scales look at which.
import { colours } from "../../shared/constants.js";
import { box, made, titled } from "../../shared/elements.js";
import { inUnits, round, sizeOf } from "../../shared/words.js";
import { heat } from "../colours.js";
import { attentionBetween } from "../trace.js";
import { element } from "./parts.js";
import { attentionChoice } from "./token.js";

const MEASURES = [
  { name: "tokens", units: [["", 1]], of: (trace) => trace.lengths, words: String },
  {
    name: "time",
    units: [["ms", 1e-3]],
    of: (trace) => trace.seconds,
    words: (value) => (value ? round(value) : "known"),
  },
  {
    name: "operations",
    units: [
      ["MFLOP", 1e6],
      ["GFLOP", 1e9],
      ["TFLOP", 1e12],
    ],
    of: (trace) => trace.flops,
    words: round,
  },
  {
    name: "cache",
    units: [
      ["KiB", 2 ** 10],
      ["MiB", 2 ** 20],
      ["GiB", 2 ** 30],
    ],
    of: (trace) => trace.cacheBytes,
    words: round,
  },
  {
    name: "nearness to the last",
    units: [["PSNR, dB", 1]],
    of: (trace) => trace.nearness,
    words: (value) => (value === null ? "the last" : round(value)),
  },
];

export const costs = ({ trace }) => {
  const measures = MEASURES.map(({ name, units, of, words }) => ({ name, words, ...inUnits(of(trace), units) }));
  const head = measures.map(({ name, unit }) => box("", [name, made("small", unit)], "th"));
  const rows = trace.sides.map((side, scale) =>
    row([made("th", sizeOf(side)), ...measures.map(({ values, words }) => bar(values, scale, words))]),
  );
  const name = "What each scale costs, and decides";
  const title = titled("h3", name, "nearly all work is in the last scales, while the first ones settle the picture");
  const note = made("p", "known: it was not computed again, since nothing before it had changed.");
  element("costs").replaceChildren(
    title,
    table(name, "xp-table", [row([made("th", "scale"), ...head]), ...rows]),
    ...(trace.seconds.includes(0) ? [note] : []),
  );
};

const row = (cells) => box("", cells, "tr");

// Where there is no room for all of it, keys can scroll it.
const table = (name, className, rows) => {
  const place = box("xp-wide-table", [box(className, rows, "table")]);
  Object.assign(place, { id: `xp-${className}`, tabIndex: 0, role: "group", ariaLabel: name });
  return place;
};

// A cell that is filled as far as its value reaches.
const bar = (values, scale, words) => {
  const most = Math.max(...values.filter((value) => value !== null));
  const value = values[scale];
  const cell = made("td", words(value));
  cell.style.setProperty("--filled", `${value === null ? 100 : (100 * value) / (most || 1)}%`);
  return cell;
};

export const masses = (view, acts) => {
  const { sides } = view.trace;
  const head = sides.map((side) => made("th", side, { title: sizeOf(side) }));
  const rows = sides.map((side, from) =>
    row([made("th", sizeOf(side)), ...sides.map((_, to) => massCell(view, from, to))]),
  );
  const name = "Which scales look at which";
  const title = titled("h3", name, "attention in per cent, mean over the tokens of a row's scale");
  const matrix = table(name, "xp-matrix", [row([made("th", "from \\ to"), ...head]), ...rows]);
  element("masses").replaceChildren(title, attentionChoice(view, acts, "masses"), matrix);
};

const massCell = (view, from, to) => {
  if (to > from) return made("td", "", { className: "xp-never", title: "finer scales are never seen" });
  const fraction = attentionBetween(view, from, to);
  const cell = made("td", String(Math.round(100 * fraction)));
  Object.assign(cell.style, {
    background: heat(fraction),
    color: fraction > 0.437 ? colours.darkText : colours.lightText,
  });
  return cell;
};
