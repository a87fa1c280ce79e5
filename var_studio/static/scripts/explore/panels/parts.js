// What several panels are made of.
import { made } from "../../shared/elements.js";
import { css } from "../colours.js";
import { colourOf } from "../trace.js";

export const element = (name) => document.getElementById(`xp-${name}`);

export const button = (id, text, onclick, properties = {}) =>
  made("button", text, { type: "button", id: `xp-${id}`, onclick, ...properties });

export const swatch = (trace, code) => {
  const patch = made("i", "", { className: "xp-swatch" });
  patch.style.background = css(colourOf(trace, code));
  return patch;
};
