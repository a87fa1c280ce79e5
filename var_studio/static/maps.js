// A trace as the page draws it: its numbers, its small maps, and what is painted where. Nothing here asks or remembers.
const maps = (() => {
  const HEAT = [ // viridis: violet to yellow, told apart with every kind of colour vision
    [68, 1, 84], [71, 45, 123], [59, 82, 139], [44, 114, 142], [33, 145, 140],
    [40, 174, 128], [94, 201, 98], [173, 220, 48], [253, 231, 37],
  ];
  const UNDER = 0.2; // how much of the grey picture shows through a heat map
  const NOTHING = "rgb(128 128 128)"; // of a heat map where there is no value
  const GAIN = 2; // on what a scale added, as in the files
  const SHARES = 65535; // what 1 is in the attention that is sent
  const CHOSEN = "#ff2d78", SAME = "white", CURSOR = "#ffd60a";

  const LAYERS = {
    picture: { name: "Picture", says: "the picture decoded after this scale" },
    tokens: { name: "Tokens", says: "one square is one token; like codes have like colours, the same at every scale" },
    added: { name: "Added", says: "what this scale added to the picture, twice as strong; grey is nothing" },
    probability: { name: "Probability", says: "how likely the model held the token that is there", unit: "%", factor: 100, least: 1e-4, most: 1 },
    entropy: { name: "Entropy", says: "how undecided the model was (0: sure of one code)", unit: "nats", factor: 1 },
    divergence: { name: "Class effect", says: "how far naming the class moved the prediction", unit: "nats (KL)", factor: 1, least: 0.01 },
    unguided: { name: "Guidance", says: "yellow: another code without guidance; grey: kept, not chosen" },
    attention: { name: "Attention", says: "where the chosen token looks; per cent of each scale: in the film strip" },
  };

  const numbers = (text, Kind) => new Kind(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const count = (length) => [...Array(length).keys()];
  const canvas = (side) => Object.assign(document.createElement("canvas"), { width: side, height: side });

  const loaded = async (address) => {
    const image = new Image();
    image.src = address;
    await image.decode();
    return image;
  };

  // What the page is told of a trace, ready to be drawn.
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
    const map = canvas(side), pixels = new ImageData(side, side);
    for (let place = 0; place < side * side; place += 1) {
      const code = trace.tokens[trace.starts[scale] + place];
      pixels.data.set([...trace.colours.subarray(3 * code, 3 * code + 3), 255], 4 * place);
    }
    map.getContext("2d").putImageData(pixels, 0, 0);
    return map;
  };

  const residual = (image, before) => {
    const side = image.naturalWidth, drawn = canvas(side), context = drawn.getContext("2d", { willReadFrequently: true });
    const read = (picture) => {
      context.drawImage(picture, 0, 0);
      return context.getImageData(0, 0, side, side);
    };
    const under = before ? read(before).data : null, pixels = read(image);
    for (let at = 0; at < pixels.data.length; at += 1) {
      if (at % 4 < 3) pixels.data[at] = 128 + GAIN * (pixels.data[at] - (under ? under[at] : 128));
    }
    context.putImageData(pixels, 0, 0);
    return drawn;
  };

  // ---------------------------------------------------------------------------------------------- what is where

  const at = (trace, { scale, place }) => trace.starts[scale] + place;
  const code = (trace, token) => trace.tokens[at(trace, token)];
  const spot = (trace, { scale, place }) => {
    const side = trace.sides[scale];
    return { row: Math.floor(place / side), column: place % side, side };
  };
  // Places of a scale that hold the same code as a token.
  const sameCode = (trace, token, scale) => {
    const wanted = code(trace, token), from = trace.starts[scale];
    return count(trace.lengths[scale]).filter((place) => trace.tokens[from + place] === wanted);
  };

  // Rows of the layers and heads that are chosen: one of each, or all ("mean").
  const picked = ({ trace: { depth, heads }, block, head }) => {
    const of = (choice, length) => (choice === "mean" ? count(length) : [Number(choice)]);
    return of(block, depth).flatMap((one) => of(head, heads).map((other) => one * heads + other));
  };
  // Attention of the chosen token to all tokens; null while it is not known.
  const attention = (view) => {
    if (!view.seen) return null;
    const length = view.trace.tokens.length, rows = picked(view), found = new Float32Array(length);
    for (const row of rows) for (let to = 0; to < length; to += 1) found[to] += view.seen[row * length + to] / SHARES / rows.length;
    return found;
  };
  // Attention from scale to scale, a mean over the tokens of `from`.
  const mass = (view, from, to) => {
    const scales = view.trace.sides.length, rows = picked(view);
    return sum(rows.map((row) => view.trace.masses[(row * scales + from) * scales + to])) / SHARES / rows.length;
  };

  // The ends of a heat layer's colours; those with a least value above 0 are logarithmic.
  const ends = (trace, layer) => {
    const { least = 0, most } = LAYERS[layer];
    return [least, most ?? Math.max(2 * least, trace[layer].reduce((high, value) => Math.max(high, value), 0))];
  };

  // What a heat layer colours at one scale, from 0 to 1; null where it says nothing.
  const shades = (view, layer, scale) => {
    const { trace, token } = view, from = trace.starts[scale], to = from + trace.lengths[scale];
    if (layer === "unguided") {
      return [...trace.unguided.subarray(from, to)].map((other, place) => (other < 0 ? null : Number(other !== trace.tokens[from + place])));
    }
    if (layer === "attention") {
      const seen = attention(view);
      if (!seen || scale > token.scale) return Array(to - from).fill(null);
      const part = [...seen.subarray(from, to)], most = Math.max(...part);
      return part.map((value) => value / (most || 1));
    }
    const [least, most] = ends(trace, layer);
    const share = least ? (value) => Math.log(Math.max(value, least) / least) / Math.log(most / least) : (value) => value / (most || 1);
    return [...trace[layer].subarray(from, to)].map(share);
  };

  const heat = (share) => {
    const spread = Math.min(1, Math.max(0, share)) * (HEAT.length - 1), low = Math.floor(spread);
    const [from, to] = [HEAT[low], HEAT[Math.min(low + 1, HEAT.length - 1)]];
    return `rgb(${from.map((value, axis) => Math.round(value + (spread - low) * (to[axis] - value))).join(" ")})`;
  };

  // ---------------------------------------------------------------------------------------------- painting

  // One layer of one scale onto a canvas, with frames around what is chosen.
  const paint = (drawn, view, layer, scale) => {
    const { trace, token, cursor } = view, context = drawn.getContext("2d"), size = drawn.width;
    context.clearRect(0, 0, size, size);
    context.imageSmoothingEnabled = layer !== "tokens";
    context.imageSmoothingQuality = "high";
    const source = { tokens: trace.maps, added: trace.added, picture: trace.images }[layer];
    if (source) context.drawImage(source[scale], 0, 0, size, size);
    else paintHeat(context, view, layer, scale, size);
    if (layer === "tokens") dim(context, trace, scale, size);
    const frame = (place, colour) => outline(context, spot(trace, { scale, place }), size, colour);
    if (layer === "tokens" && token) for (const place of sameCode(trace, token, scale)) frame(place, SAME);
    if (token?.scale === scale) frame(token.place, CHOSEN);
    if (cursor?.scale === scale && drawn.id) frame(cursor.place, CURSOR);
  };

  // Of an edited photo, what was kept stands back behind what was drawn.
  const dim = (context, trace, scale, size) => {
    if (trace.origin !== "edited") return;
    const side = trace.sides[scale], cell = size / side;
    context.fillStyle = "rgb(128 128 128 / 70%)";
    for (const place of count(trace.lengths[scale]).filter((here) => trace.keep[trace.starts[scale] + here])) {
      context.fillRect((place % side) * cell, Math.floor(place / side) * cell, cell, cell);
    }
  };

  const paintHeat = (context, view, layer, scale, size) => {
    const side = view.trace.sides[scale], cell = size / side;
    shades(view, layer, scale).forEach((share, place) => {
      context.fillStyle = share === null ? NOTHING : heat(share);
      context.fillRect((place % side) * cell, Math.floor(place / side) * cell, cell + 0.5, cell + 0.5);
    });
    context.globalAlpha = UNDER;
    context.filter = "grayscale(1)";
    context.drawImage(view.trace.images[scale], 0, 0, size, size);
    context.filter = "none";
    context.globalAlpha = 1;
  };

  const outline = (context, { row, column, side }, size, colour) => {
    const cell = size / side, thick = Math.max(1.5, size / 128);
    for (const [style, inset] of [["rgb(0 0 0 / 70%)", 0], [colour, thick]]) {
      context.strokeStyle = style;
      context.lineWidth = thick;
      context.strokeRect(column * cell + inset, row * cell + inset, cell - 2 * inset, cell - 2 * inset);
    }
  };

  return { HEAT, LAYERS, numbers, sum, count, canvas, opened, at, code, spot, sameCode, attention, mass, ends, heat, paint };
})();
