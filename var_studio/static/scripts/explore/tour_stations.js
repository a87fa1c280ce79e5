// What the stations of the tour say and show. `text` and `see` are told of the trace that is looked at.
import { explorer } from "./explorer.js";
import { showMask, showRace } from "./tour_figures.js";
import { mostSharedCode } from "./trace.js";

const last = () => explorer.view.trace.sides.length - 1;

const playAdded = () => {
  explorer.show({ layer: "added", scale: 0 });
  explorer.play();
};

const showSharedCode = () => {
  const tokens = mostSharedCode(explorer.view.trace);
  explorer.show({ layer: "tokens" });
  explorer.choose(tokens[0]);
  explorer.show({ scale: tokens.at(-1).scale });
};

export const STATIONS = [
  {
    title: "A picture made of tokens",
    text: ({ colours }) =>
      `The model paints no pixels. It fills a map with tokens, each one of ${colours.length / 3} codes, and a ` +
      "decoder turns the map of codes into a picture; a picture of yours, opened in the controls, is taken apart " +
      "into tokens in the same way.",
    click: "Show the tokens",
    see: () =>
      "One coloured square is one token. Codes that do like things have like colours; point at squares to see which " +
      "code it is.",
    section: "3.2, multi-scale VQ tokenizer",
    act: () => explorer.show({ layer: "tokens", scale: last() }),
  },
  {
    title: "A pyramid of corrections",
    text: () =>
      "A scale does not repeat the picture: it codes only the error that all coarser scales have left. Its map is " +
      "enlarged and added to one running sum (the paper calls it f_hat), and the decoder always sees the whole sum, " +
      "never one scale alone.",
    click: "Play what each scale adds",
    see: () => "Grey means that nothing was added. First come the large colours, then outlines, at last texture.",
    section: "3.2, algorithms 1 and 2",
    act: playAdded,
  },
  {
    title: "Coarse to fine, beside line by line",
    text: ({ lengths }) =>
      `A raster model would write the finest map alone, token by token: ${lengths.at(-1)} steps, and the lower half ` +
      `unknown until the end. VAR takes ${lengths.length} steps, and has an idea of the whole picture after the first.`,
    click: "Play both",
    see: () =>
      "Left: the scales of this picture. Right: the same finished picture, uncovered in raster order (a drawing of " +
      "the order; no raster model is running).",
    section: "3.1 and 3.2",
    act: () => showRace(explorer.view.trace),
  },
  {
    title: "All tokens of a scale at once",
    text: () =>
      "To choose a code, the model looks at other tokens: that is attention. All tokens of one scale are chosen in " +
      "the same moment, each from what the coarser scales say; the mask shows who may look at whom: everything " +
      "coarser, and the places of its own scale.",
    click: "Show the mask",
    see: () =>
      "A row is a token that looks, a column one that is looked at. Coloured is allowed, empty is not: finer tokens " +
      "do not exist yet. Each step of the staircase is a scale.",
    section: "3.2, figure 4",
    act: () => showMask(explorer.view.trace),
  },
  {
    title: "One codebook for all scales",
    text: () =>
      "All scales share one codebook: the same code may tint the whole picture at 1 × 1 and be a speck at the finest " +
      "scale. What it does depends on how large its square is.",
    click: "Find a code that many scales use",
    see: () =>
      "Pink is one place, white frames are the others: here, and in the token maps of the film strip below. At the " +
      "right it says how many at which scale.",
    section: "3.2, shared codebook",
    act: showSharedCode,
  },
  {
    title: "Guidance",
    text: () =>
      "The model predicts everything twice, with the class and without, and guidance exaggerates the difference: in " +
      "the paper more at every finer scale, here by as much as the guidance ramp says. Too little, and the class is " +
      "weak; too much, and pictures become garish.",
    click: "Show where it changed the choice",
    see: ({ unguided }) =>
      unguided.every((code) => code < 0)
        ? "All grey: nothing of this picture was chosen by the model. Draw one, and look again."
        : "Yellow squares would be other codes without guidance. Then turn the Guidance knob in the controls: the " +
          "same seed, another picture.",
    section: "3.3 and 4.1",
    act: () => explorer.show({ layer: "unguided", scale: last() }),
  },
];
