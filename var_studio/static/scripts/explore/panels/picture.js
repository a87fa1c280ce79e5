// The large picture: its name, the choice of layers, and what its colours mean.
import { made, pressed } from "../../shared/elements.js";
import { round, sizeOf } from "../../shared/words.js";
import { css, VIRIDIS } from "../colours.js";
import { endsOf, LAYERS } from "../layers.js";
import { paint } from "../painting.js";
import { button, element } from "./parts.js";

export const title = ({ trace }) => {
  element("name").textContent = trace.name;
  const only = trace.live ? "" : " · to look at only: another model made it";
  element("facts").textContent = trace.facts.join(" · ") + only;
};

export const layers = (view, acts) => {
  const buttons = Object.entries(LAYERS).map(([layer, { name, says }]) => {
    const choice = button(`layer-${layer}`, name, () => acts.show({ layer }), { title: says });
    return pressed(choice, layer === view.layer);
  });
  element("layers").replaceChildren(...buttons);
};

const capitalised = (text) => text[0].toUpperCase() + text.slice(1);

export const large = (view) => {
  const { trace, scale, layer } = view;
  const where = `scale ${scale + 1} of ${trace.sides.length}`;
  const help = "Arrows move over its tokens, Enter chooses one.";
  paint(element("picture"), view, layer, scale);
  element("picture").dataset.scale = scale;
  element("picture").setAttribute("aria-label", `${capitalised(where)}: ${LAYERS[layer].says}. ${help}`);
  Object.assign(element("scale"), { max: trace.sides.length - 1, value: scale, ariaValueText: where });
  element("where").textContent = `${where}, ${sizeOf(trace.sides[scale])}`;
  element("play").textContent = view.playing ? "Pause" : "Play";
  element("legend").replaceChildren(...legend(view));
};

const NOTHING_SAID =
  "nothing speaks for a class: there is none, or the trace was saved before this was recorded (draw it anew)";

const legend = ({ trace, layer, token }) => {
  const { unit, factor, says, signed } = LAYERS[layer];
  if (signed && trace[layer].every((value) => value === 0)) return [made("span", NOTHING_SAID)];
  const line = made("span", layer === "attention" && !token ? "click a square to see where its token looks" : says);
  if (!unit) return [line];
  const ramp = made("i", "", { className: "xp-ramp" });
  ramp.style.backgroundImage = `linear-gradient(90deg, ${VIRIDIS.map(css).join(", ")})`;
  const [least, most] = endsOf(trace, layer).map((end) => round(end * factor));
  return [line, made("b", least), ramp, made("b", `${most} ${unit}`)];
};
