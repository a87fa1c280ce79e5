// The Explore tab: what is looked at, what its user's hands do, and what is asked of the server. All numbers come once
// with a trace, so that stepping through scales, hovering and playing ask for nothing. What changes a picture is asked for
// with `ask({does: ...})`; answers arrive in `receive`.
const explorer = (() => {
  const { $ } = panels;
  const PLAY_MS = 650;
  const CALM_MS = 1200; // after a knob was turned, before it is asked what the chosen token could have been now

  const view = {
    trace: null, scale: 0, layer: "picture", token: null, cursor: null, seen: null, known: null, options: null,
    later: "free", block: "mean", head: "mean", playing: 0, mixed: null, thumbs: new Map(), classes: [],
  };
  let send = () => {};
  let hush = () => {};
  let calm = 0;
  let number = 0; // of questions about a token so far
  let asking = 0; // the number of that under way, of which there is one at a time; 0: none
  let waiting = false; // whether another one was put meanwhile

  // ---------------------------------------------------------------------------------------------- drawing

  const drawn = (parts) => {
    if (!view.trace || !$("picture")) return;
    const focused = document.activeElement?.id;
    for (const part of parts) panels[part](view, acts);
    if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
  };
  const draw = () => drawn(["title", "layers", "large", "strip", "inspector", "costs", "masses", "tree", "mix", "current", "status"]);
  const drawScale = () => drawn(["large", "current", "status"]);
  const drawToken = () => drawn(["large", "strip", "inspector", "status"]);

  // Another scale, layer, layer or head of attention: nothing is asked for.
  const show = (changes) => {
    const onlyScale = Object.keys(changes).every((name) => ["scale", "playing"].includes(name));
    Object.assign(view, changes);
    if (onlyScale) drawScale(); else draw();
  };

  // ---------------------------------------------------------------------------------------------- asking

  const ask = (wish) => {
    $("root").classList.add("xp-busy");
    send(wish);
  };

  // Who asks for something else shall not wait for all the pictures of what a token could have been.
  const drop = () => asking && hush({ number: asking });

  const request = (wish) => {
    drop();
    ask(wish);
  };

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
    ask({ does: "token", ...view.token });
  };

  const inquireSoon = () => {
    clearTimeout(calm);
    calm = setTimeout(() => view.token && inquire(), CALM_MS);
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

  const acts = {
    show, ask: request,
    lock: (scale) => request({ does: "lock", scale }),
    swap: (value) => request({ does: "swap", ...view.token, value, later: view.later }),
    redraw: () => request({ does: "redraw", ...view.token, later: view.later }),
    visit: (node) => node !== view.trace.node && request({ does: "goto", node }),
    later: (later) => {
      view.later = later;
      inquire();
      drawn(["inspector"]);
    },
  };

  const mixWith = (text) => {
    show({ mixed: null });
    const picture = /^picture (\d+):/.exec(text);
    request(picture ? { does: "mix", node: Number(picture[1]) } : { does: "mix", class: text });
  };

  // ---------------------------------------------------------------------------------------------- being told

  let last = Promise.resolve();
  const receive = (told) => { // one after another: pictures take a while to be decoded
    if (!(told?.kind in hear)) return;
    last = last.then(() => !told.more && $("root")?.classList.remove("xp-busy")).then(() => hear[told.kind](told)) // which may ask anew
      .catch((error) => setTimeout(() => { throw error; })); // the next answer is heard all the same
  };

  // Whether an answer is about what is chosen, or about what was a moment ago.
  const ofNow = ({ node, scale, place }) => node === view.trace?.node && scale === view.token?.scale && place === view.token?.place;

  const hear = {
    hello: (told) => {
      view.classes = told.classes;
      if (view.trace) view.trace.live = told.digest === view.trace.digest; // another model may be loaded now
      draw();
    },
    trace: async (told) => {
      const before = view.trace, trace = await maps.opened(told);
      view.thumbs.set(told.node, told.pictures.at(-1));
      for (const node of view.thumbs.keys()) if (trace.tree.every(({ n }) => n !== node)) view.thumbs.delete(node);
      Object.assign(view, { trace, seen: null, known: null, options: null, mixed: view.mixed?.node === told.node ? view.mixed : null });
      const alike = (names) => before && names.every((name) => String(before[name]) === String(trace[name]));
      if (!alike(["sides"])) Object.assign(view, { token: null, cursor: null });
      if (!alike(["sides"]) || !trace.turned) view.scale = trace.sides.length - 1; // what came of it all
      if (!alike(["depth", "heads"])) Object.assign(view, { block: "mean", head: "mean" });
      if (view.playing) pause();
      clearTimeout(calm);
      draw();
      if (view.token && trace.turned) inquireSoon(); else if (view.token) inquire();
    },
    token: (told) => {
      const current = ofNow(told);
      if (current) {
        Object.assign(view, { seen: maps.numbers(told.attention, Uint16Array), known: told });
        drawn(view.layer === "attention" ? ["large", "strip", "inspector"] : ["inspector"]);
      }
      if (current && told.more && !waiting) {
        asking = number;
        ask({ does: "options", number, ...view.token, later: view.later });
      } else answered();
    },
    options: (told) => {
      if (ofNow(told) && told.later === view.later) {
        view.options = told;
        panels.offered(told.pictures);
      }
      if (!told.more) answered();
    },
    mix: (told) => {
      view.mixed = told;
      drawn(["mix"]);
    },
    locked: ({ scales }) => {
      view.trace.locked = scales;
      drawn(["strip"]);
      if (view.token) inquire(); // with it locked, other pictures would come of its alternatives
    },
    idle: answered,
  };

  // ---------------------------------------------------------------------------------------------- playing

  const step = (by) => show({ scale: Math.min(view.trace.sides.length - 1, Math.max(0, view.scale + by)) });

  const pause = () => {
    clearInterval(view.playing);
    show({ playing: 0 });
  };

  const play = () => {
    clearInterval(view.playing);
    const end = () => view.scale >= view.trace.sides.length - 1;
    const playing = setInterval(() => {
      step(1);
      if (end()) pause();
    }, PLAY_MS);
    show({ playing, scale: end() ? 0 : view.scale });
  };

  const toggle = () => (view.playing ? pause() : play());

  const reset = () => {
    pause();
    show({ scale: 0 });
  };

  // ---------------------------------------------------------------------------------------------- hands

  const under = (event) => {
    const canvas = event.target.closest?.("#xp-root canvas[data-scale]");
    if (!canvas || !view.trace) return null;
    const scale = Number(canvas.dataset.scale), side = view.trace.sides[scale], frame = canvas.getBoundingClientRect();
    const index = (where, from, length) => Math.min(side - 1, Math.max(0, Math.floor(((where - from) / length) * side)));
    return { scale, place: index(event.clientY, frame.top, frame.height) * side + index(event.clientX, frame.left, frame.width) };
  };

  const hover = (event) => {
    const tip = $("tip"), token = under(event);
    if (!tip) return;
    tip.hidden = !token || event.pointerType === "touch";
    if (tip.hidden) return;
    tip.replaceChildren(...panels.tip(view.trace, token));
    const { width, height } = tip.getBoundingClientRect(), below = event.clientY + 16;
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - width - 8)}px`;
    tip.style.top = `${below + height > innerHeight ? event.clientY - height - 10 : below}px`;
  };

  const click = (event) => {
    if (!view.trace) return;
    const token = under(event), column = event.target.closest?.("#xp-strip .xp-column:not(.xp-names)");
    const buttons = { "xp-reset": reset, "xp-play": toggle, "xp-step": () => step(1) };
    if (token) choose(token);
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
    if (token && $("inspector").getBoundingClientRect().bottom < 160) $("inspector").scrollIntoView({ block: "start", behavior });
    if (!token && column && !event.target.closest("button")) show({ scale: [...column.parentNode.children].indexOf(column) - 1 });
    buttons[event.target.id]?.();
  };

  // Over the large picture arrows move a cursor from token to token; elsewhere they step through the scales.
  const move = (event) => {
    const { trace, scale, token, cursor } = view, side = trace.sides[scale];
    const here = [cursor, token].find((one) => one?.scale === scale)?.place ?? 0;
    if (event.key === "Enter" || event.key === " ") return choose({ scale, place: here });
    const [right, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const kept = (value) => Math.min(side - 1, Math.max(0, value));
    view.cursor = { scale, place: kept(Math.floor(here / side) + down) * side + kept((here % side) + right) };
    return drawn(["large", "status"]);
  };

  const key = (event) => {
    if (!view.trace || !$("picture")?.offsetParent || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const onPicture = event.target.id === "xp-picture", onButton = event.target.closest("button, [role=tab]");
    const steps = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), ...(onButton ? {} : { " ": toggle }) };
    const moves = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Enter", " "].includes(event.key);
    const act = onPicture && moves ? () => move(event) : steps[event.key];
    if (!act || (onButton && event.target.closest("[role=tab]"))) return;
    event.preventDefault();
    act();
  };

  document.addEventListener("pointermove", hover);
  document.addEventListener("scroll", () => $("tip") && ($("tip").hidden = true), true);
  document.addEventListener("mousedown", (event) => under(event) && event.preventDefault()); // a click does not move the focus
  document.addEventListener("click", click);
  document.addEventListener("keydown", key);
  for (const kind of ["pointerdown", "input"]) document.addEventListener(kind, (event) => {
    if (!asking || !event.target.closest?.(".settings")) return;
    drop();
    inquireSoon(); // unless something else comes of it
  });
  document.addEventListener("input", (event) => event.target.id === "xp-scale" && view.trace && show({ scale: Number(event.target.value) }));
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "xp-mix") return;
    event.preventDefault();
    mixWith($("other").value);
  });

  // Called by the page once the tab is there: how to ask, and how to be told.
  const connect = (sending, hushing, watch, props) => {
    [send, hush] = [sending, hushing];
    receive(props.value);
    watch("value", () => receive(props.value));
  };

  return { connect, view, show, choose, play, ask: request };
})();
