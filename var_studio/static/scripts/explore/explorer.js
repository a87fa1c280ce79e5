// The Explore tab: what is looked at, and what is asked of the server. All numbers come once with a trace, so that
// stepping through scales, hovering and playing ask for nothing. What changes a picture is asked for with
// `ask({does: ...})`; answers arrive in `receive`.
import { clamp } from "../shared/geometry.js";
import { openTrace } from "./painting.js";
import { mix, tree } from "./panels/branches.js";
import { element } from "./panels/parts.js";
import { large, layers, title } from "./panels/picture.js";
import { current, strip } from "./panels/strip.js";
import { costs, masses } from "./panels/tables.js";
import { inspector, showOffered, status } from "./panels/token.js";
import { attentionIn } from "./trace.js";

const PLAY_MS = 650;
const CALM_MS = 1200; // after a knob was turned, before it is asked what the chosen token could have been now

const view = {
  trace: null,
  scale: 0, // shown large
  layer: "picture",
  token: null, // chosen
  cursor: null, // where the arrow keys are on the large picture
  seen: null, // attention of the chosen token
  known: null, // what else its code stands for
  options: null, // pictures of what it could have been
  later: "free", // what becomes of later scales when a token is swapped: "free" or "keep"
  block: "mean", // the layers and heads whose attention is shown: a number each, or all
  head: "mean",
  playing: 0, // the interval's number; 0: not playing
  mixed: null,
  thumbs: new Map(), // last picture of each branch
  classes: [],
};

let send = () => {};
let hush = () => {};
let calm = 0; // the timer of `inquireSoon`
let number = 0; // of questions about a token so far
let asking = 0; // the number of that under way, of which there is one at a time; 0: none
let waiting = false; // whether another one was put meanwhile

// ------------------------------------------------------------------------------------------------ drawing

// In this order: what marks the current scale needs the strip and the table.
const PANELS = { title, layers, large, strip, inspector, costs, masses, tree, mix, current, status };

const draw = (...names) => {
  if (!view.trace || !element("picture")) return;
  const focused = document.activeElement?.id;
  for (const name of names) PANELS[name](view, acts);
  if (!focused || document.activeElement?.id === focused) return;
  document.getElementById(focused)?.focus({ preventScroll: true });
};
const drawAll = () => draw(...Object.keys(PANELS));
const drawScale = () => draw("large", "current", "status");
const drawToken = () => draw("large", "strip", "inspector", "status");

// Another scale, layer, layer or head of attention: nothing is asked for.
const show = (changes) => {
  const onlyScale = Object.keys(changes).every((name) => ["scale", "playing"].includes(name));
  Object.assign(view, changes);
  if (onlyScale) drawScale();
  else drawAll();
};

// ------------------------------------------------------------------------------------------------ asking

const post = (wish) => {
  element("root").classList.add("xp-busy");
  send(wish);
};

// Who asks for something else shall not wait for all the pictures of what a token could have been.
const drop = () => asking && hush({ number: asking });

const ask = (wish) => {
  drop();
  post(wish);
};

// Ask about the chosen token, once the question under way is answered.
const inquire = () => {
  clearTimeout(calm);
  view.options = null;
  if (asking) {
    waiting = true;
    drop();
    return;
  }
  number += 1;
  asking = number;
  post({ does: "token", ...view.token });
};

const inquireSoon = () => {
  clearTimeout(calm);
  calm = setTimeout(() => view.token && inquire(), CALM_MS);
};

// A knob of the draw is being turned, while pictures are made that it will make anew.
const knobTurned = () => {
  if (!asking) return;
  drop();
  inquireSoon(); // unless something else comes of it
};

const answered = () => {
  asking = 0;
  const again = waiting && view.token;
  waiting = false;
  if (again) inquire();
};

const choose = (token) => {
  Object.assign(view, { token, cursor: null, seen: null, known: null, scale: token.scale });
  inquire();
  drawToken();
};

const moveCursor = (cursor) => {
  view.cursor = cursor;
  draw("large", "status");
};

const mixWith = (text) => {
  show({ mixed: null });
  const picture = /^picture (\d+):/.exec(text);
  ask(picture ? { does: "mix", node: Number(picture[1]) } : { does: "mix", class: text });
};

// What a click on a panel does.
const acts = {
  show,
  ask,
  lock: (scale) => ask({ does: "lock", scale }),
  swap: (value) => ask({ does: "swap", ...view.token, value, later: view.later }),
  redraw: () => ask({ does: "redraw", ...view.token, later: view.later }),
  visit: (node) => node !== view.trace.node && ask({ does: "goto", node }),
  later: (later) => {
    view.later = later;
    inquire();
    draw("inspector");
  },
};

// ------------------------------------------------------------------------------------------------ being told

let last = Promise.resolve();

// One after another: pictures take a while to be decoded.
const receive = (told) => {
  if (!(told?.kind in hear)) return;
  const settle = () => told.more || element("root")?.classList.remove("xp-busy");
  last = last
    .then(settle)
    .then(() => hear[told.kind](told)) // which may ask anew
    .catch((error) =>
      setTimeout(() => {
        throw error; // on the console; the next answer is heard all the same
      }),
    );
};

// Whether an answer is about what is chosen, or about what was a moment ago.
const isOfNow = ({ node, scale, index }) =>
  node === view.trace?.node && scale === view.token?.scale && index === view.token?.index;

const hearTrace = async (told) => {
  const before = view.trace;
  const trace = await openTrace(told);
  view.thumbs.set(told.node, told.pictures.at(-1));
  for (const node of view.thumbs.keys()) if (trace.tree.every(({ n }) => n !== node)) view.thumbs.delete(node);
  const mixed = view.mixed?.node === told.node ? view.mixed : null;
  Object.assign(view, { trace, seen: null, known: null, options: null, mixed });
  const isAlike = (name) => before && String(before[name]) === String(trace[name]);
  if (!isAlike("sides")) Object.assign(view, { token: null, cursor: null });
  if (!isAlike("sides") || !trace.turned) view.scale = trace.sides.length - 1; // what came of it all
  if (!isAlike("depth") || !isAlike("heads")) Object.assign(view, { block: "mean", head: "mean" });
  if (view.playing) pause();
  clearTimeout(calm);
  drawAll();
  if (view.token && trace.turned) inquireSoon();
  else if (view.token) inquire();
};

const hearToken = (told) => {
  const isCurrent = isOfNow(told);
  if (isCurrent) {
    Object.assign(view, { seen: attentionIn(told.attention), known: told });
    if (view.layer === "attention") draw("large", "strip", "inspector");
    else draw("inspector");
  }
  if (isCurrent && told.more && !waiting) {
    asking = number;
    post({ does: "options", number, ...view.token, later: view.later });
  } else answered();
};

const hear = {
  hello: (told) => {
    view.classes = told.classes;
    if (view.trace) view.trace.live = told.digest === view.trace.digest; // another model may be loaded now
    drawAll();
  },
  trace: hearTrace,
  token: hearToken,
  options: (told) => {
    if (isOfNow(told) && told.later === view.later) {
      view.options = told;
      showOffered(told.pictures);
    }
    if (!told.more) answered();
  },
  mix: (told) => {
    view.mixed = told;
    draw("mix");
  },
  locked: ({ scales }) => {
    view.trace.locked = scales;
    draw("strip");
    if (view.token) inquire(); // with it locked, other pictures would come of its alternatives
  },
  idle: answered,
};

// ------------------------------------------------------------------------------------------------ playing

const step = (by) => show({ scale: clamp(view.scale + by, 0, view.trace.sides.length - 1) });

const pause = () => {
  clearInterval(view.playing);
  show({ playing: 0 });
};

const play = () => {
  clearInterval(view.playing);
  const isLast = () => view.scale >= view.trace.sides.length - 1;
  const playing = setInterval(() => {
    step(1);
    if (isLast()) pause();
  }, PLAY_MS);
  show({ playing, scale: isLast() ? 0 : view.scale });
};

const toggle = () => (view.playing ? pause() : play());

const reset = () => {
  pause();
  show({ scale: 0 });
};

// Called by Gradio once the tab is there: how to ask, and how to be told.
const connect = (sending, hushing, watch, props) => {
  [send, hush] = [sending, hushing];
  receive(props.value);
  watch("value", () => receive(props.value));
};

export const explorer = {
  view,
  connect,
  show,
  choose,
  moveCursor,
  ask,
  mixWith,
  knobTurned,
  step,
  play,
  toggle,
  reset,
};
