// What the Explore tab shows of a view: each function makes the elements of one part of it. What a click does is in `acts`.
const panels = (() => {
  const { LAYERS } = maps;
  const $ = (name) => document.getElementById(`xp-${name}`);
  const made = (kind, text = "", properties = {}) => Object.assign(document.createElement(kind), { textContent: text, ...properties });
  const box = (className, parts, kind = "div") => {
    const element = made(kind, "", { className });
    element.append(...parts);
    return element;
  };
  const titled = (kind, text, more) => box("", [text, made("span", ` ${more}`)], kind);
  const button = (id, text, onclick, properties = {}) => made("button", text, { type: "button", id: `xp-${id}`, onclick, ...properties });
  const pressed = (element, on) => {
    element.setAttribute("aria-pressed", String(on));
    return element;
  };
  const round = (value) => (value && Math.abs(value) < 0.001 ? "under 0.001" : Number(value.toPrecision(3)).toString());
  const percent = (value) => `${value > 0 && value < 0.001 ? "under 0.1" : round(100 * value)} %`;
  const inWords = (trace, token) => {
    const { row, column } = maps.spot(trace, token);
    return `scale ${token.scale + 1}, row ${row + 1}, column ${column + 1}`;
  };
  const swatch = (trace, code) => {
    const patch = made("i", "", { className: "xp-swatch" });
    patch.style.background = `rgb(${trace.colours.subarray(3 * code, 3 * code + 3).join(" ")})`;
    return patch;
  };

  // ---------------------------------------------------------------------------------------------- large

  const layers = (view, acts) => $("layers").replaceChildren(...Object.entries(LAYERS).map(([layer, { name, says }]) =>
    pressed(button(`layer-${layer}`, name, () => acts.show({ layer }), { title: says }), layer === view.layer)));

  const large = (view) => {
    const { trace, scale, layer } = view, side = trace.sides[scale];
    maps.paint($("picture"), view, layer, scale);
    $("picture").dataset.scale = scale;
    $("picture").setAttribute("aria-label", `Scale ${scale + 1} of ${trace.sides.length}: ${LAYERS[layer].says}. Arrows move over its tokens, Enter chooses one.`);
    Object.assign($("scale"), { max: trace.sides.length - 1, value: scale, ariaValueText: `scale ${scale + 1} of ${trace.sides.length}` });
    $("where").textContent = `scale ${scale + 1} of ${trace.sides.length}, ${side} × ${side}`;
    $("play").textContent = view.playing ? "Pause" : "Play";
    $("legend").replaceChildren(...legend(view));
  };

  const legend = ({ trace, layer, token }) => {
    const { unit, factor, says } = LAYERS[layer];
    const line = made("span", layer === "attention" && !token ? "click a square to see where its token looks" : says);
    if (!unit) return [line];
    const ramp = made("i", "", { className: "xp-ramp" });
    ramp.style.backgroundImage = `linear-gradient(90deg, ${maps.HEAT.map((colour) => `rgb(${colour.join(" ")})`).join(", ")})`;
    const [least, most] = maps.ends(trace, layer).map((end) => round(end * factor));
    return [line, made("b", least), ramp, made("b", `${most} ${unit}`)];
  };

  // ---------------------------------------------------------------------------------------------- film strip

  const strip = (view, acts) => {
    const { trace, layer } = view, heated = LAYERS[layer].unit || ["unguided", "attention"].includes(layer);
    const rows = ["tokens", "picture", "added", heated ? layer : "probability"];
    const seen = rows[3] === "attention" ? maps.attention(view) : null;
    const names = rows.map((row) => made("span", LAYERS[row].name, { title: LAYERS[row].says }));
    $("strip").style.setProperty("--scales", trace.sides.length);
    $("strip").replaceChildren(box("xp-column xp-names", [box("xp-head", []), ...names]), ...trace.sides.map((side, scale) => {
      const head = box("xp-head", [made("b", `${side} × ${side}`), made("span", side === 1 ? "1 token" : `${side * side} tokens`)]);
      const canvases = rows.map((row) => {
        const drawn = maps.canvas(160);
        Object.assign(drawn.dataset, { scale, row });
        maps.paint(drawn, view, row, scale);
        return drawn;
      });
      return box("xp-column", [head, ...canvases, ...foot(trace, seen, scale), scaleActs(trace, acts, scale)]);
    }));
    current(view);
  };

  const foot = (trace, seen, scale) => {
    if (!seen) return [];
    const share = maps.sum([...seen.subarray(trace.starts[scale], trace.starts[scale] + trace.lengths[scale])]);
    return [made("span", percent(share), { className: "xp-share", title: "of the chosen token's attention" })];
  };

  const scaleActs = (trace, acts, scale) => {
    if (!trace.live) return box("xp-acts", []);
    const locked = trace.locked.includes(scale);
    const lock = button(`lock-${scale}`, locked ? "Locked" : "Lock", () => acts.lock(scale), {
      ariaLabel: `Lock scale ${scale + 1}`,
      title: "A locked scale keeps its tokens when others are drawn anew",
    });
    const again = button(`reroll-${scale}`, "Re-roll", () => acts.ask({ does: "reroll", scale }), {
      ariaLabel: `Re-roll from scale ${scale + 1}`,
      title: scale ? "Keep all coarser scales, draw from here on with a new seed" : "Draw all scales with a new seed",
    });
    return box("xp-acts", [pressed(lock, locked), again]);
  };

  // The marks on the scale that is shown large, in the strip and in the table.
  const current = ({ scale }) => {
    $("strip").querySelectorAll(".xp-column:not(.xp-names)").forEach((column, at) => column.classList.toggle("xp-current", at === scale));
    const column = $("strip").children[scale + 1];
    if (column) $("strip").scrollTo({ left: column.offsetLeft - $("strip").offsetLeft - 0.5 * ($("strip").clientWidth - column.clientWidth) });
    $("costs").querySelectorAll("tr").forEach((row, at) => row.classList.toggle("xp-current", at === scale + 1));
  };

  // ---------------------------------------------------------------------------------------------- one token

  const inspector = (view, acts) => {
    const nothing = "Click a square of a map, or of the large picture: what the model thought there, what else it could have chosen, where it looked.";
    const parts = view.token
      ? [...card(view), ...alternatives(view, acts), ...elsewhere(view), ...looking(view, acts)]
      : [made("h3", "One token"), made("p", nothing)];
    $("inspector").replaceChildren(...parts);
  };

  const MEANINGS = {
    probability: "how likely the model held this code here, after guidance and temperature",
    rank: "1: no other code was likelier",
    entropy: "how undecided the model was: about e to this power codes were in question",
    "effect of the class": "how far naming the class moved the prediction: the KL divergence from that without a class",
    "without guidance": "what the same chance would have chosen with guidance 0",
    "how it came": "drawn in this run, or kept: from an earlier picture, from a photo, or set by hand",
  };

  const details = (trace, token) => {
    const here = maps.at(trace, token), rows = [];
    rows.push(["probability", percent(trace.probability[here])], ["rank", `${trace.rank[here]} of ${trace.colours.length / 3}`]);
    rows.push(["entropy", `${round(trace.entropy[here])} nats`]);
    if (trace.guided) rows.push(["effect of the class", `${round(trace.divergence[here])} nats`]);
    if (trace.unguided[here] >= 0 && trace.guided) {
      rows.push(["without guidance", trace.unguided[here] === trace.tokens[here] ? "the same" : `code ${trace.unguided[here]}`]);
    }
    return [...rows, ["how it came", trace.keep[here] ? "kept" : "drawn"]];
  };

  const heading = (kind, trace, token) => {
    const code = maps.code(trace, token);
    return box("", [swatch(trace, code), `Code ${code} `, made("span", inWords(trace, token))], kind);
  };

  const card = ({ trace, token }) => {
    const list = details(trace, token).flatMap(([name, value]) => [made("dt", name, { title: MEANINGS[name] }), made("dd", value)]);
    return [heading("h3", trace, token), box("", list, "dl")];
  };

  const alternatives = (view, acts) => {
    const { trace, token, options } = view, here = maps.at(trace, token), many = trace.likeliest.length / trace.tokens.length;
    const list = maps.count(many).map((n) => {
      const code = trace.likeliest[here * many + n], address = options?.pictures[n];
      const one = button(`option-${n}`, "", () => acts.swap(code), { title: `code ${code}`, disabled: !trace.live });
      one.append(address ? pictured(address) : swatch(trace, code), made("span", percent(trace.shares[here * many + n])));
      one.classList.toggle("xp-taken", code === trace.tokens[here]);
      return one;
    });
    const title = titled("h4", "What else it could have been", trace.live ? "click one to choose it" : `load ${trace.model} to choose one`);
    return [title, ...(trace.live ? [laters(view, acts)] : []), box("xp-options", list)];
  };

  const pictured = (address) => made("img", "", { src: address, alt: "the picture with this code" });

  // The pictures of the first alternatives have come; the buttons stay, someone's hand may be on one.
  const offered = (pictures) => pictures.forEach((address, n) => $(`option-${n}`)?.querySelector("i")?.replaceWith(pictured(address)));

  const laters = ({ later }, acts) => {
    const choices = [["free", "draw later scales again"], ["keep", "keep all others"]];
    const buttons = choices.map(([value, words]) => pressed(button(`later-${value}`, words, () => acts.later(value)), later === value));
    const anew = button("redraw", "Draw this token anew", acts.redraw, { title: "By chance, with a new seed" });
    return box("xp-later", [...buttons, made("span", "", { className: "xp-gap" }), anew]);
  };

  const elsewhere = ({ trace, token, known }) => {
    const counts = trace.sides.map((side, scale) => [side, maps.sameCode(trace, token, scale).length]).filter(([, many]) => many);
    const where = counts.map(([side, many]) => `${side} × ${side}: ${many}`).join(", ");
    const parts = [titled("h4", "The same code elsewhere", "white frames in the token maps"), made("p", `In this picture at ${where}.`)];
    if (known?.patches) {
      parts.push(made("p", `Used ${known.uses === 1 ? "once" : `${known.uses} times`} in pictures that were kept from training, where it added things like these (grey: nothing):`));
      parts.push(made("img", "", { src: known.patches, alt: "what this code added to pictures", className: "xp-patches" }));
    } else if (known?.uses === 0) parts.push(made("p", "None of the pictures kept from training used it."));
    return parts;
  };

  const looking = (view, acts) => {
    const show = button("look", "Show it over the picture", () => acts.show({ layer: "attention" }));
    return [titled("h4", "Where it looked", "its own scale and all coarser ones, never finer"), heads(view, acts, "token"), show];
  };

  const heads = (view, acts, where) => box("xp-heads", [["block", "Layer", view.trace.depth], ["head", "Head", view.trace.heads]].map(([what, label, many]) => {
    const select = made("select", "", { id: `xp-${what}-${where}`, onchange: () => acts.show({ [what]: select.value }) });
    select.append(made("option", "all, averaged", { value: "mean" }), ...maps.count(many).map((n) => made("option", String(n + 1), { value: String(n) })));
    select.value = view[what];
    return box("", [`${label} `, select], "label");
  }));

  const tip = (trace, token) => [heading("b", trace, token), ...details(trace, token).map(([name, value]) => made("span", `${name}: ${value}`))];

  // ---------------------------------------------------------------------------------------------- tables

  const MEASURES = [ // name, units and their sizes, values, words for a value
    ["tokens", [["", 1]], (trace) => trace.lengths, String],
    ["time", [["ms", 1e-3]], (trace) => trace.seconds, (value) => (value ? round(value) : "known")],
    ["operations", [["MFLOP", 1e6], ["GFLOP", 1e9], ["TFLOP", 1e12]], (trace) => trace.operations, round],
    ["cache", [["KiB", 2 ** 10], ["MiB", 2 ** 20], ["GiB", 2 ** 30]], (trace) => trace.cacheBytes, round],
    ["nearness to the last", [["PSNR, dB", 1]], (trace) => trace.nearness, (value) => (value === null ? "the last" : round(value))],
  ];

  // In the largest unit in which the largest value still has two digits before the point.
  const measured = (trace, [name, units, of, words]) => {
    const most = Math.max(...of(trace)), [unit, size] = units.findLast(([, one]) => most >= 10 * one) ?? units[0];
    return { name, unit, words, values: of(trace).map((value) => value && value / size) };
  };

  const costs = ({ trace }) => {
    const measures = MEASURES.map((measure) => measured(trace, measure));
    const head = measures.map(({ name, unit }) => box("", [name, made("small", unit)], "th"));
    const rows = trace.sides.map((side, scale) =>
      box("", [made("th", `${side} × ${side}`), ...measures.map(({ values, words }) => bar(values, scale, words))], "tr"));
    const title = titled("h3", "What each scale costs, and decides", "nearly all work is in the last scales, while the first ones settle the picture");
    const note = made("p", "known: it was not computed again, since nothing before it had changed.");
    $("costs").replaceChildren(title, table("xp-table", [box("", [made("th", "scale"), ...head], "tr"), ...rows]), ...(trace.seconds.includes(0) ? [note] : []));
  };

  const table = (className, rows) => box("xp-wide-table", [box(className, rows, "table")]);

  const bar = (values, scale, words) => {
    const most = Math.max(...values.filter((value) => value !== null)), value = values[scale], cell = made("td", words(value));
    cell.style.setProperty("--share", `${value === null ? 100 : (100 * value) / (most || 1)}%`);
    return cell;
  };

  const masses = (view, acts) => {
    const { sides } = view.trace, head = [made("th", "from \\ to"), ...sides.map((side) => made("th", side, { title: `${side} × ${side}` }))];
    const rows = sides.map((side, from) => box("", [made("th", `${side} × ${side}`), ...sides.map((_, to) => {
      if (to > from) return made("td", "", { className: "xp-never", title: "finer scales are never seen" });
      const share = maps.mass(view, from, to), cell = made("td", String(Math.round(100 * share)));
      Object.assign(cell.style, { background: maps.heat(share), color: share > 0.45 ? "#111" : "#fff" });
      return cell;
    })], "tr"));
    const title = titled("h3", "Which scales look at which", "attention in per cent, mean over the tokens of a row's scale");
    $("masses").replaceChildren(title, heads(view, acts, "masses"), table("xp-matrix", [box("", head, "tr"), ...rows]));
  };

  // ---------------------------------------------------------------------------------------------- branches, mixes

  const tree = (view, acts) => {
    const nodes = view.trace.tree, here = new Set(nodes.map(({ n }) => n)), lines = [];
    const walk = (parent, deep) => {
      for (const one of nodes.filter((node) => (here.has(node.parent) ? node.parent : null) === parent)) {
        const line = button(`node-${one.n}`, "", () => acts.visit(one.n), { className: "xp-node" });
        line.style.marginLeft = `${10 * Math.min(deep, 8)}px`;
        line.setAttribute("aria-current", String(one.n === view.trace.node));
        line.append(made("img", "", { src: view.thumbs.get(one.n) ?? "", alt: "" }), made("span", `${one.n} · ${one.title}`));
        lines.push(line);
        walk(one.n, deep + 1);
      }
    };
    walk(null, 0);
    $("tree").replaceChildren(...lines);
    const now = $(`node-${view.trace.node}`);
    if (now) $("tree").scrollTop = now.offsetTop - $("tree").offsetTop - 60;
  };

  const mix = (view, acts) => {
    const { trace, mixed } = view, others = trace.tree.filter(({ n }) => n !== trace.node).map(({ n, title }) => `picture ${n}: ${title}`);
    $("others").replaceChildren(...[...others, ...view.classes].map((value) => made("option", "", { value })));
    for (const part of $("mix").elements) part.disabled = !trace.live;
    $("mixed").replaceChildren(...(mixed?.pictures ?? []).map((address, cut) => {
      const side = trace.sides[cut - 1];
      const words = cut === 0 ? `all ${mixed.name}` : cut === trace.sides.length ? "all this one" : `this one up to ${side} × ${side}`;
      const one = button(`cut-${cut}`, "", () => acts.ask({ does: "take", cut }), { title: "Look at this one" });
      one.append(made("img", "", { src: address, alt: "" }), made("span", words));
      return one;
    }));
  };

  const title = ({ trace }) => {
    $("name").textContent = trace.name;
    $("facts").textContent = trace.facts.join(" · ") + (trace.live ? "" : " · to look at only: another model made it");
  };

  // For those who hear the page: the token under the cursor, or all about the one chosen.
  const status = ({ trace, scale, token, cursor }) => {
    const here = [cursor, token].find((one) => one?.scale === scale);
    const about = here ? [inWords(trace, here), `code ${maps.code(trace, here)}`] : [`scale ${scale + 1} of ${trace.sides.length}`];
    const known = here ? details(trace, here).map((pair) => pair.join(" ")) : [];
    $("status").textContent = [...about, ...(here === cursor ? known.slice(0, 1) : known)].join(", ");
  };

  return { $, made, box, title, layers, large, strip, current, inspector, offered, costs, masses, tree, mix, status, tip };
})();
