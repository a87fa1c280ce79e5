// The layers that a map can show, and how strongly each colours a token.
import { leastProbability } from "../shared/constants.js";
import { attentionOf, ofScale, range } from "./trace.js";

// Those with a unit are heat maps of a value a token, shown times `factor`; `least` and `most` are the ends of the
// colours, where they do not follow from the values. Those that are `signed` have 0 in the middle of their colours.
export const LAYERS = {
  picture: { name: "Picture", says: "the picture decoded after this scale" },
  tokens: {
    name: "Tokens",
    says: "one square is one token; like codes have like colours, the same at every scale",
  },
  added: { name: "Added", says: "what this scale added to the picture, twice as strong; grey is nothing" },
  probability: {
    name: "Probability",
    says: "how likely the model held the token that is there",
    unit: "%",
    factor: 100,
    least: leastProbability,
    most: 1,
  },
  entropy: {
    name: "Entropy",
    says: "how undecided the model was (0: sure of one code)",
    unit: "nats",
    factor: 1,
  },
  divergence: {
    name: "Class effect",
    says: "how far naming the class moved the prediction",
    unit: "nats (KL)",
    factor: 1,
    least: 0.01,
  },
  evidence: {
    name: "Speaks for the class",
    says: "how much likelier the class makes the token that is there (bright), or how much less likely (dark)",
    unit: "nats",
    factor: 1,
    signed: true,
  },
  unguided: { name: "Guidance", says: "yellow: another code without guidance; grey: kept, not chosen" },
  attention: {
    name: "Attention",
    says: "where the chosen token looks; per cent of each scale: in the film strip",
  },
};

// The values at the two ends of a heat map's colours.
export const endsOf = (trace, layer) => {
  const { least = 0, most, signed } = LAYERS[layer];
  if (signed) {
    const largest = trace[layer].reduce((high, value) => Math.max(high, Math.abs(value)), 0) || 1;
    return [-largest, largest];
  }
  const highest = trace[layer].reduce((high, value) => Math.max(high, value), 0);
  return [least, most ?? Math.max(2 * least, highest)];
};

// How strongly a layer colours each token of a scale, from 0 to 1; null where it says nothing.
export const strengths = (view, layer, scale) => {
  if (layer === "unguided") return guidanceStrengths(view.trace, scale);
  if (layer === "attention") return attentionStrengths(view, scale);
  const [least, most] = endsOf(view.trace, layer);
  const from = LAYERS[layer].signed ? least : 0;
  const linear = (value) => (value - from) / (most - from || 1);
  const logarithmic = (value) => Math.log(Math.max(value, least) / least) / Math.log(most / least);
  return [...ofScale(view.trace, view.trace[layer], scale)].map(least > 0 ? logarithmic : linear);
};

const guidanceStrengths = (trace, scale) => {
  const codes = ofScale(trace, trace.tokens, scale);
  const others = [...ofScale(trace, trace.unguided, scale)];
  return others.map((other, index) => (other < 0 ? null : Number(other !== codes[index])));
};

// As parts of the largest of the scale.
const attentionStrengths = (view, scale) => {
  const seen = attentionOf(view);
  if (!seen || scale > view.token.scale) return range(view.trace.lengths[scale]).map(() => null);
  const part = [...ofScale(view.trace, seen, scale)];
  const most = Math.max(...part);
  return part.map((value) => value / (most || 1));
};
