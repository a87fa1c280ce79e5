// Pictures that grew out of one another, and mixes of two.
import { made } from "../../shared/elements.js";
import { sizeOf } from "../../shared/words.js";
import { linesOfTree } from "../trace.js";
import { button, element } from "./parts.js";

const INDENT = 10; // pixels a generation
const DEEPEST = 8; // generations that are indented

export const tree = (view, acts) => {
  const lines = linesOfTree(view.trace.tree).map(({ node, depth }) => {
    const line = button(`node-${node.n}`, "", () => acts.visit(node.n), { className: "xp-node" });
    line.style.marginLeft = `${INDENT * Math.min(depth, DEEPEST)}px`;
    line.setAttribute("aria-current", String(node.n === view.trace.node));
    const thumbnail = made("img", "", { src: view.thumbs.get(node.n) ?? "", alt: "" });
    line.append(thumbnail, made("span", `${node.n} · ${node.title}`));
    return line;
  });
  element("tree").replaceChildren(...lines);
  const now = element(`node-${view.trace.node}`);
  if (now) element("tree").scrollTop = now.offsetTop - element("tree").offsetTop - 60;
};

export const mix = (view, acts) => {
  const { trace, mixed } = view;
  const others = trace.tree.filter(({ n }) => n !== trace.node).map(({ n, title }) => `picture ${n}: ${title}`);
  element("others").replaceChildren(...[...others, ...view.classes].map((value) => made("option", "", { value })));
  for (const part of element("mix").elements) part.disabled = !trace.live;
  const pictures = (mixed?.pictures ?? []).map((address, cut) => {
    const choice = button(`cut-${cut}`, "", () => acts.ask({ does: "take", cut }), { title: "Look at this one" });
    choice.append(made("img", "", { src: address, alt: "" }), made("span", cutInWords(trace, mixed, cut)));
    return choice;
  });
  element("mixed").replaceChildren(...pictures);
};

const cutInWords = (trace, mixed, cut) => {
  if (cut === 0) return `all ${mixed.name}`;
  return cut === trace.sides.length ? "all this one" : `this one up to ${sizeOf(trace.sides[cut - 1])}`;
};
