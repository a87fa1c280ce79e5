// The inspector: one token, what else it could have been, and where it looked.
import { box, made, pressed, titled } from "../../shared/elements.js";
import { percent, round, sizeOf } from "../../shared/words.js";
import { codeOf, indexOf, inWords, placesOfSameCode, range } from "../trace.js";
import { button, element, swatch } from "./parts.js";

const NO_TOKEN =
  "Click a square of a map, or of the large picture: what the model thought there, what else it could have chosen, " +
  "where it looked.";

const MEANINGS = {
  probability: "how likely the model held this code here, after guidance and temperature",
  rank: "1: no other code was likelier",
  entropy: "how undecided the model was: about e to this power codes were in question",
  "effect of the class": "how far naming the class moved the prediction: the KL divergence from that without a class",
  "speaks for the class": "nats that the class adds to this code's log-probability; below 0 it speaks against it",
  "without guidance": "what the same chance would have chosen with guidance 0",
  "how it came": "drawn in this run, or kept: from an earlier picture, from a photo, or set by hand",
};

export const inspector = (view, acts) => {
  const parts = view.token
    ? [...card(view), ...alternatives(view, acts), ...elsewhere(view), ...looking(view, acts)]
    : [made("h3", "One token"), made("p", NO_TOKEN)];
  element("inspector").replaceChildren(...parts);
};

// ------------------------------------------------------------------------------------------------ what it is

// Pairs of a name and a value.
export const details = (trace, token) => {
  const here = indexOf(trace, token);
  const rows = [
    ["probability", percent(trace.probability[here])],
    ["rank", `${trace.rank[here]} of ${trace.colours.length / 3}`],
    ["entropy", `${round(trace.entropy[here])} nats`],
  ];
  if (trace.guided) {
    rows.push(["effect of the class", `${round(trace.divergence[here])} nats`]);
    rows.push(["speaks for the class", `${round(trace.evidence[here])} nats`]);
  }
  if (trace.unguided[here] >= 0 && trace.guided) {
    const same = trace.unguided[here] === trace.tokens[here];
    rows.push(["without guidance", same ? "the same" : `code ${trace.unguided[here]}`]);
  }
  return [...rows, ["how it came", trace.keep[here] ? "kept" : "drawn"]];
};

const heading = (kind, trace, token) => {
  const code = codeOf(trace, token);
  return box("", [swatch(trace, code), `Code ${code} `, made("span", inWords(trace, token))], kind);
};

const card = ({ trace, token }) => {
  const list = details(trace, token).flatMap(([name, value]) => [
    made("dt", name, { title: MEANINGS[name] }),
    made("dd", value),
  ]);
  return [heading("h3", trace, token), box("", list, "dl")];
};

// The same, for the tip beside the pointer.
export const tip = (trace, token) => [
  heading("b", trace, token),
  ...details(trace, token).map(([name, value]) => made("span", `${name}: ${value}`)),
];

// For those who hear the page: the token under the cursor, or all about the one chosen.
export const status = ({ trace, scale, token, cursor }) => {
  const here = [cursor, token].find((one) => one?.scale === scale);
  const about = here
    ? [inWords(trace, here), `code ${codeOf(trace, here)}`]
    : [`scale ${scale + 1} of ${trace.sides.length}`];
  const known = here ? details(trace, here).map((pair) => pair.join(" ")) : [];
  element("status").textContent = [...about, ...(here === cursor ? known.slice(0, 1) : known)].join(", ");
};

// ------------------------------------------------------------------------------------------------ alternatives

const alternatives = (view, acts) => {
  const { trace, token, options } = view;
  const here = indexOf(trace, token);
  const many = trace.likeliest.length / trace.tokens.length;
  const list = range(many).map((n) => {
    const code = trace.likeliest[here * many + n];
    const address = options?.pictures[n];
    const title = `code ${code}`;
    const choice = button(`option-${n}`, "", () => acts.swap(code), { title, disabled: !trace.live });
    const shown = address ? pictured(address) : swatch(trace, code);
    choice.append(shown, made("span", percent(trace.likeliestProbability[here * many + n])));
    choice.classList.toggle("xp-taken", code === trace.tokens[here]);
    return choice;
  });
  const more = trace.live ? "click one to choose it" : `load ${trace.model} to choose one`;
  const title = titled("h4", "What else it could have been", more);
  return [title, ...(trace.live ? [laterScales(view, acts)] : []), box("xp-options", list)];
};

const pictured = (address) => made("img", "", { src: address, alt: "the picture with this code" });

// The pictures of the first alternatives have come; the buttons stay, someone's hand may be on one.
export const showOffered = (pictures) => {
  for (const [n, address] of pictures.entries())
    element(`option-${n}`)?.querySelector("i")?.replaceWith(pictured(address));
};

const laterScales = ({ later }, acts) => {
  const choice = (value, words) =>
    pressed(
      button(`later-${value}`, words, () => acts.later(value)),
      later === value,
    );
  const anew = button("redraw", "Draw this token anew", acts.redraw, { title: "By chance, with a new seed" });
  const gap = made("span", "", { className: "xp-gap" });
  return box("xp-later", [choice("free", "draw later scales again"), choice("keep", "keep all others"), gap, anew]);
};

// ------------------------------------------------------------------------------------------------ elsewhere

const elsewhere = ({ trace, token, known }) => {
  const counts = trace.sides
    .map((side, scale) => [side, placesOfSameCode(trace, token, scale).length])
    .filter(([, many]) => many);
  const where = counts.map(([side, many]) => `${sizeOf(side)}: ${many}`).join(", ");
  const title = titled("h4", "The same code elsewhere", "white frames in the token maps");
  return [title, made("p", `In this picture at ${where}.`), ...uses(known)];
};

const uses = (known) => {
  if (known?.patches) {
    const often = known.uses === 1 ? "once" : `${known.uses} times`;
    const told = `Used ${often} in pictures that were kept from training, where it added things like these`;
    const alt = "what this code added to pictures";
    return [
      made("p", `${told} (grey: nothing):`),
      made("img", "", { src: known.patches, alt, className: "xp-patches" }),
    ];
  }
  return known?.uses === 0 ? [made("p", "None of the pictures kept from training used it.")] : [];
};

const looking = (view, acts) => {
  const show = button("look", "Show it over the picture", () => acts.show({ layer: "attention" }));
  const title = titled("h4", "Where it looked", "its own scale and all coarser ones, never finer");
  return [title, attentionChoice(view, acts, "token"), show];
};

// Which layers and heads of the model are meant; `where` keeps the ids of two such choices apart.
export const attentionChoice = (view, acts, where) => {
  const choice = (what, label, many) => {
    const onchange = () => acts.show({ [what]: select.value });
    const select = made("select", "", { id: `xp-${what}-${where}`, onchange });
    const single = range(many).map((n) => made("option", String(n + 1), { value: String(n) }));
    select.append(made("option", "all, averaged", { value: "mean" }), ...single);
    select.value = view[what];
    return box("", [`${label} `, select], "label");
  };
  const { depth, heads } = view.trace;
  return box("xp-heads", [choice("block", "Layer", depth), choice("head", "Head", heads)]);
};
