// The Explore tab's own view of a trace. All that is shown is drawn here, from numbers that came once with the trace, so
// that stepping through scales, hovering and playing ask the server for nothing. What changes a picture is asked for with
// `ask({does: ...})`; answers arrive in `receive`.
const explorer = (() => {
  const HEAT = [ // viridis: violet to yellow, told apart with every kind of colour vision
    [68, 1, 84], [71, 45, 123], [59, 82, 139], [44, 114, 142], [33, 145, 140],
    [40, 174, 128], [94, 201, 98], [173, 220, 48], [253, 231, 37],
  ];
  const GAIN = 2; // on what a scale added, as in the files
  const LAYERS = {
    picture: { name: "Picture", says: "the picture decoded after this scale" },
    tokens: { name: "Tokens", says: "one square is one token; equal colours are equal codes, at every scale" },
    added: { name: "Added", says: "what this scale added to the picture, twice as strong; grey is nothing" },
    probability: { name: "Certainty", says: "probability of each token", unit: "%", factor: 100, lowest: 0 },
    entropy: { name: "Doubt", says: "entropy of what the model held likely", unit: "nats", factor: 1, lowest: 0 },
    divergence: { name: "Class effect", says: "how far the class moved the prediction (KL divergence)", unit: "nats", factor: 1, lowest: 0 },
    unguided: { name: "Guidance", says: "yellow: without guidance the same chance would have chosen another token" },
    attention: { name: "Attention", says: "where the chosen token looks; each scale has colours of its own, the per cent say how much it gets" },
  };
  const CHOSEN = "#ff2d78";
  const PLAY_MS = 650;
  const SHARES = 65535; // what 1 is in the attention that is sent

  const $ = (name) => document.getElementById(`xp-${name}`);
  const view = {
    trace: null, scale: 0, layer: "picture", token: null, seen: null, options: null,
    later: "free", block: "mean", head: "mean", playing: 0, mix: null, asking: 0,
  };
  const thumbs = new Map(); // number of a picture -> its last picture's address
  const listeners = []; // called after every change, with the view
  let send = () => {};
  let classes = [];

  // ---------------------------------------------------------------------------------------------- numbers

  const numbers = (text, Kind) => new Kind(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  const loaded = async (address) => {
    const image = new Image();
    image.src = address;
    await image.decode();
    return image;
  };
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const blank = (side) => Object.assign(document.createElement("canvas"), { width: side, height: side });
  const round = (value, digits = 3) => Number(value.toPrecision(digits)).toString();

  const opened = async (told) => {
    const images = await Promise.all(told.pictures.map(loaded));
    const lengths = told.sides.map((side) => side * side);
    const trace = {
      ...told, images, lengths,
      starts: lengths.map((_, scale) => sum(lengths.slice(0, scale))),
      colours: numbers(told.colours, Uint8Array),
      keep: numbers(told.keep, Uint8Array),
      masses: numbers(told.masses, Uint16Array),
    };
    for (const name of ["tokens", "rank", "unguided", "likeliest"]) trace[name] = numbers(told[name], Int32Array);
    for (const name of ["shares", "probability", "entropy", "divergence"]) trace[name] = numbers(told[name], Float32Array);
    trace.maps = told.sides.map((side, scale) => tokenMap(trace, scale, side));
    trace.added = images.map((image, scale) => residual(image, images[scale - 1]));
    return trace;
  };

  const tokenMap = (trace, scale, side) => {
    const map = blank(side), pixels = new ImageData(side, side);
    for (let place = 0; place < side * side; place += 1) {
      const code = trace.tokens[trace.starts[scale] + place];
      pixels.data.set([...trace.colours.subarray(3 * code, 3 * code + 3), 255], 4 * place);
    }
    map.getContext("2d").putImageData(pixels, 0, 0);
    return map;
  };

  const residual = (image, before) => {
    const side = image.naturalWidth, canvas = blank(side), context = canvas.getContext("2d", { willReadFrequently: true });
    const read = (picture) => {
      context.drawImage(picture, 0, 0);
      return context.getImageData(0, 0, side, side);
    };
    const under = before ? read(before).data : null;
    const pixels = read(image);
    for (let at = 0; at < pixels.data.length; at += 1) {
      if (at % 4 < 3) pixels.data[at] = 128 + GAIN * (pixels.data[at] - (under ? under[at] : 128));
    }
    context.putImageData(pixels, 0, 0);
    return canvas;
  };

  // ---------------------------------------------------------------------------------------------- what is where

  const place = (scale, row, column) => row * view.trace.sides[scale] + column;
  const at = (token) => view.trace.starts[token.scale] + token.place;
  const spot = ({ scale, place: here }) => {
    const side = view.trace.sides[scale];
    return { row: Math.floor(here / side), column: here % side, side };
  };
  const inWords = (token) => {
    const { row, column } = spot(token);
    return `scale ${token.scale + 1}, row ${row + 1}, column ${column + 1}`;
  };
  const sameCode = (scale) => {
    if (!view.token) return [];
    const { tokens, starts, lengths } = view.trace, code = tokens[at(view.token)];
    return [...Array(lengths[scale]).keys()].filter((here) => tokens[starts[scale] + here] === code);
  };

  // Attention of the chosen token to all tokens, of one layer and head or the mean over them.
  const attention = () => {
    if (!view.seen) return null;
    const { depth, heads } = view.trace, length = sum(view.trace.lengths), found = new Float32Array(length);
    const rows = picked(depth, heads);
    for (const row of rows) for (let to = 0; to < length; to += 1) found[to] += view.seen[row * length + to] / SHARES / rows.length;
    return found;
  };
  const picked = (depth, heads) => {
    const of = (choice, count) => (choice === "mean" ? [...Array(count).keys()] : [Number(choice)]);
    return of(view.block, depth).flatMap((block) => of(view.head, heads).map((head) => block * heads + head));
  };

  // The values that a layer colours at one scale, from 0 to 1; null where it colours nothing.
  const shades = (layer, scale) => {
    const { trace } = view, from = trace.starts[scale], to = from + trace.lengths[scale];
    if (layer === "unguided") {
      return [...trace.unguided.subarray(from, to)].map((code, here) => (code < 0 ? null : Number(code !== trace.tokens[from + here])));
    }
    if (layer === "attention") {
      const seen = attention();
      if (!seen || scale > view.token.scale) return Array(to - from).fill(null);
      const part = [...seen.subarray(from, to)], most = Math.max(...part);
      return part.map((value) => value / (most || 1));
    }
    const most = highest(layer);
    return [...trace[layer].subarray(from, to)].map((value) => value / (most || 1));
  };
  const highest = (layer) => view.trace[layer].reduce((most, value) => Math.max(most, value), 0);
  const heat = (share) => {
    const spread = Math.min(1, Math.max(0, share)) * (HEAT.length - 1), low = Math.floor(spread);
    const [from, to] = [HEAT[low], HEAT[Math.min(low + 1, HEAT.length - 1)]];
    return `rgb(${from.map((value, axis) => Math.round(value + (spread - low) * (to[axis] - value))).join(" ")})`;
  };

  // ---------------------------------------------------------------------------------------------- drawing

  const paint = (canvas, layer, scale) => {
    const context = canvas.getContext("2d"), { trace } = view, size = canvas.width;
    context.clearRect(0, 0, size, size);
    context.imageSmoothingEnabled = layer !== "tokens";
    context.imageSmoothingQuality = "high";
    if (layer === "tokens") context.drawImage(trace.maps[scale], 0, 0, size, size);
    else if (layer === "added") context.drawImage(trace.added[scale], 0, 0, size, size);
    else if (layer === "picture") context.drawImage(trace.images[scale], 0, 0, size, size);
    else paintHeat(context, layer, scale, size);
    if (layer === "tokens") for (const here of sameCode(scale)) outline(context, { scale, place: here }, size, "white");
    if (view.token?.scale === scale) outline(context, view.token, size, CHOSEN);
  };

  const paintHeat = (context, layer, scale, size) => {
    context.filter = "grayscale(1)";
    context.drawImage(view.trace.images[scale], 0, 0, size, size);
    context.filter = "none";
    const side = view.trace.sides[scale], cell = size / side;
    shades(layer, scale).forEach((share, here) => {
      context.fillStyle = share === null ? "rgb(128 128 128)" : heat(share);
      context.globalAlpha = share === null ? 0.5 : 0.66;
      context.fillRect((here % side) * cell, Math.floor(here / side) * cell, cell + 0.5, cell + 0.5);
    });
    context.globalAlpha = 1;
  };

  const outline = (context, token, size, colour) => {
    const { row, column, side } = spot(token), cell = size / side, thick = Math.max(1.5, size / 128);
    for (const [style, inset] of [["rgb(0 0 0 / 70%)", 0], [colour, thick]]) {
      context.strokeStyle = style;
      context.lineWidth = thick;
      context.strokeRect(column * cell + inset, row * cell + inset, cell - 2 * inset, cell - 2 * inset);
    }
  };

  const made = (kind, text = "", properties = {}) => Object.assign(document.createElement(kind), { textContent: text, ...properties });
  const button = (text, act, properties = {}) => made("button", text, { type: "button", onclick: act, ...properties });

  const drawLayers = () => {
    $("layers").replaceChildren(...Object.entries(LAYERS).map(([layer, { name, says }]) => {
      const one = button(name, () => show({ layer }), { title: says, id: `xp-layer-${layer}` });
      one.setAttribute("role", "radio");
      one.setAttribute("aria-checked", String(layer === view.layer));
      return one;
    }));
  };

  const drawLarge = () => {
    const { trace, scale, layer } = view, side = trace.sides[scale];
    paint($("picture"), layer, scale);
    $("picture").dataset.scale = scale;
    $("picture").setAttribute("aria-label", `Scale ${scale + 1}: ${LAYERS[layer].says}`);
    Object.assign($("scale"), { max: trace.sides.length - 1, value: scale });
    $("where").textContent = `scale ${scale + 1} of ${trace.sides.length}, ${side} × ${side}`;
    $("play").textContent = view.playing ? "Pause" : "Play";
    $("legend").replaceChildren(...legend(layer));
  };

  const legend = (layer) => {
    const { unit, factor, says } = LAYERS[layer];
    const line = made("span", layer === "attention" && !view.token ? "click a square to see where its token looks" : says);
    if (!unit) return [line];
    const ramp = made("i", "", { className: "xp-ramp" });
    ramp.style.background = `linear-gradient(90deg, ${HEAT.map((colour) => `rgb(${colour.join(" ")})`).join(", ")})`;
    return [line, made("b", "0"), ramp, made("b", `${round(highest(layer) * factor)} ${unit}`)];
  };

  const drawStrip = () => {
    const { trace, layer } = view, shown = LAYERS[layer].unit || ["unguided", "attention"].includes(layer) ? layer : "probability";
    const rows = ["tokens", "picture", "added", shown], seen = shown === "attention" ? attention() : null;
    const columns = trace.sides.map((side, scale) => {
      const column = made("div", "", { className: "xp-column" });
      column.classList.toggle("xp-current", scale === view.scale);
      const tokens = side * side === 1 ? "1 token" : `${side * side} tokens`;
      const head = made("div", "", { className: "xp-head" });
      head.append(made("b", `${side} × ${side}`), made("span", tokens));
      const canvases = rows.map((row) => {
        const canvas = blank(160);
        Object.assign(canvas.dataset, { scale, row });
        paint(canvas, row, scale);
        return canvas;
      });
      const share = seen ? sum([...seen.subarray(trace.starts[scale], trace.starts[scale] + side * side)]) : 0;
      const foot = seen ? [made("span", `${round(100 * share)} %`, { className: "xp-share" })] : [];
      column.append(head, ...canvases, ...foot, acts(scale));
      return column;
    });
    const names = made("div", "", { className: "xp-column xp-names" });
    names.append(made("div", "", { className: "xp-head" }), ...rows.map((row) => made("span", LAYERS[row].name, { title: LAYERS[row].says })));
    $("strip").style.setProperty("--scales", trace.sides.length);
    $("strip").replaceChildren(names, ...columns);
  };

  const acts = (scale) => {
    const { trace } = view, locked = trace.locked.includes(scale), box = made("div", "", { className: "xp-acts" });
    if (!trace.live) return box;
    const lock = button(locked ? "Locked" : "Lock", () => toggleLock(scale), { title: "A locked scale keeps its tokens when others are drawn anew" });
    lock.setAttribute("aria-pressed", String(locked));
    const again = button("Re-roll", () => ask({ does: "reroll", scale }), {
      title: scale ? "Keep all coarser scales, draw from here on with a new seed" : "Draw all scales with a new seed",
    });
    box.append(lock, again);
    return box;
  };

  const toggleLock = (scale) => {
    const { trace } = view;
    trace.locked = trace.locked.includes(scale) ? trace.locked.filter((other) => other !== scale) : [...trace.locked, scale];
    send({ does: "lock", scales: trace.locked });
    draw();
  };

  // ---------------------------------------------------------------------------------------------- one token

  const drawInspector = () => {
    const box = $("inspector");
    if (!view.token) {
      const words = "Click a square in any map below: what the model thought there, what else it could have chosen, where it looked.";
      box.replaceChildren(made("h3", "One token"), made("p", words));
      return;
    }
    box.replaceChildren(...tokenCard(), ...alternatives(), ...sameCodes(), ...lookingFrom());
  };

  const swatch = (code) => {
    const [red, green, blue] = view.trace.colours.subarray(3 * code, 3 * code + 3);
    const patch = made("i", "", { className: "xp-swatch" });
    patch.style.background = `rgb(${red} ${green} ${blue})`;
    return patch;
  };

  const percent = (value) => `${value < 0.001 ? "under 0.1" : round(100 * value)} %`;

  const details = (token) => {
    const { trace } = view, here = at(token), rows = [];
    rows.push(["probability", percent(trace.probability[here])], ["rank", `${trace.rank[here]} of ${trace.colours.length / 3}`]);
    rows.push(["entropy", `${round(trace.entropy[here])} nats`]);
    if (trace.guided) rows.push(["effect of the class", `${round(trace.divergence[here])} nats`]);
    if (trace.unguided[here] >= 0 && trace.guided) {
      const same = trace.unguided[here] === trace.tokens[here];
      rows.push(["without guidance", same ? "the same" : `code ${trace.unguided[here]}`]);
    }
    rows.push(["was", trace.keep[here] ? "given" : "drawn"]);
    return rows;
  };

  const tokenCard = () => {
    const code = view.trace.tokens[at(view.token)], title = made("h3", `Code ${code} `);
    title.prepend(swatch(code));
    title.append(made("span", inWords(view.token)));
    const list = made("dl");
    for (const [name, value] of details(view.token)) list.append(made("dt", name), made("dd", value));
    return [title, list];
  };

  const alternatives = () => {
    const { trace, token, options } = view, here = at(token), count = trace.likeliest.length / trace.tokens.length;
    const title = made("h4", "What else it could have been ");
    title.append(made("span", trace.live ? "click one to choose it" : `load ${trace.model} to choose one`));
    const list = made("div", "", { className: "xp-options" });
    for (let n = 0; n < count; n += 1) {
      const code = trace.likeliest[here * count + n], one = button("", () => swap(code), { title: `code ${code}`, disabled: !trace.live });
      const picture = options?.pictures[n] ? made("img", "", { src: options.pictures[n], alt: `the picture with code ${code}` }) : swatch(code);
      one.append(picture, made("span", percent(trace.shares[here * count + n])));
      one.classList.toggle("xp-taken", code === trace.tokens[here]);
      list.append(one);
    }
    return [title, ...(trace.live ? [laterChoice()] : []), list];
  };

  const laterChoice = () => {
    const box = made("div", "", { className: "xp-later" });
    for (const [later, words] of [["free", "later scales are drawn again"], ["keep", "all others stay"]]) {
      const one = button(words, () => { view.later = later; askToken(true); draw(); });
      one.setAttribute("aria-pressed", String(view.later === later));
      box.append(one);
    }
    box.append(button("Draw it anew", () => ask({ does: "redraw", ...view.token, later: view.later }), { title: "This token by chance, with a new seed" }));
    return box;
  };

  const swap = (value) => ask({ does: "swap", ...view.token, value, later: view.later });

  const sameCodes = () => {
    const { trace, seen, patches, uses } = view;
    const counts = trace.sides.map((side, scale) => [side, sameCode(scale).length]).filter(([, count]) => count);
    const title = made("h4", "The same code elsewhere ");
    title.append(made("span", "white frames in the token maps"));
    const where = counts.map(([side, count]) => `${side} × ${side}: ${count}`).join(", ");
    const parts = [title, made("p", `In this picture at ${where}.`)];
    if (seen && patches) {
      const known = `Used ${uses} times in the val pictures, where it added things like these (grey: nothing):`;
      parts.push(made("p", known), made("img", "", { src: patches, alt: "what this code added to pictures", className: "xp-patches" }));
    } else if (seen && uses === 0) parts.push(made("p", "No val picture used it."));
    return parts;
  };

  const lookingFrom = () => {
    const title = made("h4", "Where it looked ");
    title.append(made("span", "its own scale and all coarser ones, never finer"));
    return [title, headChoice(), button("Show over the picture", () => show({ layer: "attention" }), { className: "xp-wide" })];
  };

  const headChoice = () => {
    const box = made("div", "", { className: "xp-heads" });
    for (const [what, label, count] of [["block", "Layer", view.trace.depth], ["head", "Head", view.trace.heads]]) {
      const select = made("select", "", { onchange: () => { view[what] = select.value; draw(); } });
      select.append(made("option", "all, averaged", { value: "mean" }), ...[...Array(count).keys()].map((n) => made("option", String(n + 1), { value: String(n) })));
      select.value = view[what];
      const words = made("label", `${label} `);
      words.append(select);
      box.append(words);
    }
    return box;
  };

  // ---------------------------------------------------------------------------------------------- plots

  const MEASURES = [
    ["tokens", "", (trace) => trace.lengths, (value) => String(value)],
    ["time", "ms", (trace) => trace.seconds.map((value) => 1000 * value), (value) => (value ? round(value) : "known")],
    ["operations", "MFLOP", (trace) => trace.operations.map((value) => value / 1e6), (value) => round(value)],
    ["cache", "KiB", (trace) => trace.cacheBytes.map((value) => value / 1024), (value) => round(value)],
    ["nearness to the last", "PSNR, dB", (trace) => trace.nearness, (value) => (value === null ? "it is" : round(value))],
  ];

  const drawCosts = () => {
    const { trace } = view, table = made("table", "", { className: "xp-table" }), head = made("tr");
    head.append(made("th", "scale"), ...MEASURES.map(([name, unit]) => {
      const cell = made("th", name);
      cell.append(made("small", unit));
      return cell;
    }));
    table.append(head, ...trace.sides.map((side, scale) => {
      const row = made("tr");
      row.classList.toggle("xp-current", scale === view.scale);
      row.append(made("th", `${side} × ${side}`), ...MEASURES.map(([, , of, words]) => bar(of(trace), scale, words)));
      return row;
    }));
    const title = made("h3", "What each scale costs, and decides ");
    title.append(made("span", "nearly all work is in the last scales, while the first ones settle the picture"));
    $("costs").replaceChildren(title, scrolling(table));
  };

  const scrolling = (table) => {
    const box = made("div", "", { className: "xp-wide-table" });
    box.append(table);
    return box;
  };

  const bar = (values, scale, words) => {
    const most = Math.max(...values.filter((value) => value !== null)), value = values[scale];
    const cell = made("td", words(value)), share = value === null ? 1 : value / (most || 1);
    cell.style.setProperty("--share", `${100 * share}%`);
    return cell;
  };

  const drawMasses = () => {
    const { trace } = view, count = trace.sides.length, rows = picked(trace.depth, trace.heads);
    const mass = (from, to) => sum(rows.map((row) => trace.masses[(row * count + from) * count + to])) / SHARES / rows.length;
    const table = made("table", "", { className: "xp-matrix" }), head = made("tr");
    head.append(made("th", "from \\ to"), ...trace.sides.map((side) => made("th", `${side} × ${side}`)));
    table.append(head, ...trace.sides.map((side, from) => {
      const line = made("tr");
      line.append(made("th", `${side} × ${side}`), ...trace.sides.map((_, to) => {
        if (to > from) return made("td", "", { className: "xp-never", title: "finer scales are never seen" });
        const share = mass(from, to), cell = made("td", String(Math.round(100 * share)));
        cell.style.background = heat(share);
        cell.style.color = share > 0.55 ? "#111" : "#fff";
        return cell;
      }));
      return line;
    }));
    const title = made("h3", "Which scales look at which ");
    title.append(made("span", "attention in per cent, mean over the tokens of a row's scale"));
    $("masses").replaceChildren(title, headChoice(), scrolling(table));
  };

  // ---------------------------------------------------------------------------------------------- branches, mixes

  const drawTree = () => {
    const { tree, node } = view.trace, numbersHere = new Set(tree.map(({ n }) => n)), rows = [];
    const walk = (parent, deep) => {
      for (const one of tree.filter((each) => (numbersHere.has(each.parent) ? each.parent : null) === parent)) {
        const line = button("", () => goto(one.n), { className: "xp-node" });
        line.style.marginLeft = `${18 * Math.min(deep, 6)}px`;
        line.setAttribute("aria-current", String(one.n === node));
        line.append(made("img", "", { src: thumbs.get(one.n) ?? "", alt: "" }), made("span", one.title));
        rows.push(line);
        walk(one.n, deep + 1);
      }
    };
    walk(null, 0);
    $("tree").replaceChildren(...rows);
    const others = tree.filter(({ n }) => n !== node).map(({ n, title }) => `picture ${n}: ${title}`);
    $("others").replaceChildren(...[...others, ...classes].map((value) => made("option", "", { value })));
    for (const part of $("mix").elements) part.disabled = !view.trace.live;
  };

  const goto = (node) => node !== view.trace.node && ask({ does: "goto", node });

  const mixWith = (text) => {
    const picture = /^picture (\d+):/.exec(text);
    ask(picture ? { does: "mix", node: Number(picture[1]) } : { does: "mix", class: text });
  };

  const drawMix = () => {
    const { mix, trace } = view;
    $("mixed").replaceChildren(...(mix?.pictures ?? []).map((address, cut) => {
      const words = cut === 0 ? `all ${mix.name}` : cut === trace.sides.length ? "all this one" : `this up to ${trace.sides[cut - 1]} × ${trace.sides[cut - 1]}`;
      const one = button("", () => ask({ does: "take", cut }), { title: "Look at this one" });
      one.append(made("img", "", { src: address, alt: words }), made("span", words));
      return one;
    }));
  };

  // ---------------------------------------------------------------------------------------------- acting

  const draw = () => {
    if (!view.trace || !$("picture")) return;
    $("name").textContent = view.trace.title;
    $("facts").textContent = view.trace.facts.slice(1).join(" · ") + (view.trace.live ? "" : " · to look at only");
    const focused = document.activeElement?.id;
    for (const part of [drawLayers, drawLarge, drawStrip, drawInspector, drawCosts, drawMasses, drawTree, drawMix]) part();
    if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
    for (const listener of listeners) listener(view);
  };

  // Another scale or layer: nothing is asked for.
  const show = (changes) => {
    Object.assign(view, changes);
    draw();
  };

  const ask = (wish) => {
    $("root").classList.add("xp-busy");
    send(wish);
  };

  const askToken = (pictures) => {
    view.options = null;
    ask({ does: "token", ...view.token, later: view.later, pictures });
  };

  const choose = (token) => {
    view.token = token;
    view.seen = null;
    view.scale = token.scale;
    askToken(true);
    draw();
  };

  const step = (by) => show({ scale: Math.min(view.trace.sides.length - 1, Math.max(0, view.scale + by)) });

  const play = () => {
    clearInterval(view.playing);
    if (view.playing) return show({ playing: 0 });
    const last = view.trace.sides.length - 1;
    if (view.scale === last) view.scale = 0;
    view.playing = setInterval(() => {
      step(1);
      if (view.scale === last) {
        clearInterval(view.playing);
        show({ playing: 0 });
      }
    }, PLAY_MS);
    return draw();
  };

  const reset = () => {
    clearInterval(view.playing);
    show({ scale: 0, playing: 0 });
  };

  const receive = async (told) => {
    if (!told?.kind || told.kind === "hello") return;
    if (told.kind === "trace") await take(told);
    else if (told.kind === "token") takeToken(told);
    else if (told.kind === "mix") view.mix = told;
    if (!told.more) $("root")?.classList.remove("xp-busy");
    draw();
  };

  const takeToken = (told) => {
    const { trace, token, later } = view;
    if (told.node !== trace?.node || told.scale !== token?.scale || told.place !== token?.place) return; // of a moment ago
    Object.assign(view, { seen: numbers(told.attention, Uint16Array), patches: told.patches, uses: told.uses });
    if (told.pictures && told.later === later) view.options = told;
  };

  const take = async (told) => {
    const before = view.trace, trace = await opened(told);
    const fits = before && String(before.sides) === String(trace.sides);
    thumbs.set(told.node, told.pictures.at(-1));
    if (view.mix?.node !== told.node) view.mix = null;
    Object.assign(view, { trace, seen: null, options: null });
    if (!fits) Object.assign(view, { scale: trace.sides.length - 1, token: null, block: "mean", head: "mean" });
    clearTimeout(view.asking);
    if (view.token) view.asking = setTimeout(() => view.token && askToken(false), 400); // not while a knob is being turned
  };

  // ---------------------------------------------------------------------------------------------- hands

  const under = (event) => {
    const canvas = event.target.closest?.("#xp-root canvas[data-scale]");
    if (!canvas || !view.trace) return null;
    const scale = Number(canvas.dataset.scale), side = view.trace.sides[scale], box = canvas.getBoundingClientRect();
    const index = (where, from, length) => Math.min(side - 1, Math.max(0, Math.floor(((where - from) / length) * side)));
    const [row, column] = [index(event.clientY, box.top, box.height), index(event.clientX, box.left, box.width)];
    return { scale, place: place(scale, row, column) };
  };

  const hover = (event) => {
    const tip = $("tip"), token = under(event);
    if (!tip) return;
    tip.hidden = !token;
    if (!token) return;
    const code = view.trace.tokens[at(token)], title = made("b", `Code ${code} `);
    title.prepend(swatch(code));
    tip.replaceChildren(title, made("span", inWords(token)), ...details(token).map(([name, value]) => made("span", `${name} ${value}`)));
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - box.width - 8)}px`;
    tip.style.top = `${event.clientY + 16 + box.height > innerHeight ? event.clientY - box.height - 10 : event.clientY + 16}px`;
  };

  const key = (event) => {
    if (!view.trace || !$("picture")?.offsetParent || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const act = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), " ": play }[event.key];
    if (!act || (event.key === " " && event.target.closest("button, [role=tab]"))) return;
    event.preventDefault();
    act();
  };

  const listen = () => {
    document.addEventListener("pointermove", hover);
    document.addEventListener("scroll", () => $("tip") && ($("tip").hidden = true), true);
    document.addEventListener("keydown", key);
    document.addEventListener("click", (event) => {
      const token = under(event), column = event.target.closest?.("#xp-strip .xp-column");
      if (token) choose(token);
      else if (column?.querySelector("canvas") && !event.target.closest("button")) show({ scale: Number(column.querySelector("canvas").dataset.scale) });
      if (view.trace && event.target.id === "xp-reset") reset();
      if (view.trace && event.target.id === "xp-play") play();
      if (view.trace && event.target.id === "xp-step") step(1);
    });
    document.addEventListener("input", (event) => event.target.id === "xp-scale" && view.trace && show({ scale: Number(event.target.value) }));
    document.addEventListener("submit", (event) => {
      if (event.target.id !== "xp-mix") return;
      event.preventDefault();
      mixWith($("other").value);
    });
  };
  listen();

  // Called by the page once the tab is there: how to ask, and how to be told.
  const connect = (sending, watch, props) => {
    send = sending;
    classes = props.value?.classes ?? classes;
    watch("value", () => receive(props.value));
    draw();
  };

  return { connect, view, show, choose, play, reset, step, ask, listeners, HEAT };
})();
