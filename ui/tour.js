// The guided tour of the Explore tab: six stations on whatever picture is looked at. Each says two sentences, has one
// thing to click and one thing to see.
(() => {
  const PAPER = "https://arxiv.org/abs/2404.02905";
  const RASTER_MS = 4500; // how long the raster order takes in the third station
  const $ = (name) => document.getElementById(`xp-${name}`);
  const made = (kind, text = "", properties = {}) => Object.assign(document.createElement(kind), { textContent: text, ...properties });
  const { view } = explorer;
  const last = () => view.trace.sides.length - 1;
  let station = 0;
  let running = 0;

  const STATIONS = [
    {
      title: "A picture made of numbers",
      text: (t) => `The model paints no pixels, it writes tokens: each is the number of one of ${t.colours.length / 3} codes, and a decoder turns the whole map of codes into a picture. `
        + "Open a picture of yours at the left, and it is taken apart into tokens in the same way.",
      click: "Show the tokens",
      see: "One coloured square is one token. Point at squares: the number changes, and near colours are near codes.",
      section: "3.2, multi-scale VQ tokenizer",
      act: () => explorer.show({ layer: "tokens", scale: last() }),
    },
    {
      title: "A pyramid of corrections",
      text: () => "A scale does not repeat the picture, it codes only what all coarser scales together have missed. "
        + "Its codes are enlarged and added to a running sum, called f_hat: that is why f_hat accumulates, and why one scale alone shows next to nothing.",
      click: "Play what each scale adds",
      see: "Grey means that nothing was added. First the large colours come, then outlines, at last texture.",
      section: "3.2, algorithms 1 and 2",
      act: () => { explorer.show({ layer: "added", scale: 0 }); explorer.play(); },
    },
    {
      title: "Coarse to fine, beside line by line",
      text: (t) => `A raster model would write the finest map alone, token by token: ${t.lengths.at(-1)} steps, and the lower half unknown until the end. `
        + `VAR takes ${t.sides.length} steps, and has an idea of the whole picture after the first.`,
      click: "Play both",
      see: "Left: the scales of this picture. Right: the same finished picture, uncovered in raster order (a drawing of the order; no raster model is running).",
      section: "3.1 and 3.2",
      act: race,
    },
    {
      title: "All tokens of a scale at once",
      text: () => "Within a scale nothing waits: all tokens are drawn in one pass, each from what the coarser scales say about its place. "
        + "Attention is block-causal: a token may look at its own scale's places and at all coarser tokens, never at finer ones, which do not exist yet.",
      click: "Show the mask",
      see: "A row is a token that looks, a column one that is looked at. Coloured blocks are allowed; the steps of the staircase are the scales.",
      section: "3.2, figure 4",
      act: mask,
    },
    {
      title: "One codebook for all scales",
      text: () => "All scales share one codebook, so that the same code may tint the whole picture at 1 × 1 and be a speck at the finest scale. "
        + "What it does to the picture depends on how large its square is.",
      click: "Find a code that many scales use",
      see: "White frames in the token maps of the film strip: there the same code was used again.",
      section: "3.2, shared codebook",
      act: wanderer,
      aim: "strip",
    },
    {
      title: "Guidance",
      text: () => "The model predicts everything twice, with the class and without, and guidance exaggerates the difference, more at every finer scale. "
        + "Too little, and the class is weak; too much, and pictures become garish.",
      click: "Show where it changed the choice",
      see: "Yellow squares would be other codes without guidance. Then turn the Guidance knob at the left: same seed, other picture.",
      section: "3.3 and 4.1",
      act: () => explorer.show({ layer: "unguided", scale: last() }),
    },
  ];

  const close = () => {
    cancelAnimationFrame(running);
    $("station").hidden = true;
    $("tour").textContent = "Take the tour";
  };

  const open = (number) => {
    cancelAnimationFrame(running);
    station = number;
    const box = $("station"), { title, text, click, see, section, act, aim } = STATIONS[number];
    const head = made("h3", `${number + 1} of ${STATIONS.length}: ${title}`);
    const seen = made("p", "", { className: "xp-see" }), stage = made("div", "", { className: "xp-stage", id: "xp-stage" });
    const show = made("button", click, { type: "button", id: "xp-show", onclick: () => {
      seen.textContent = see;
      act();
      if (aim) setTimeout(() => $(aim).scrollIntoView({ block: "center", behavior: "smooth" }), 100);
    } });
    const link = made("a", `the paper, section ${section}`, { href: PAPER, target: "_blank", rel: "noopener" });
    const ways = made("div", "", { className: "xp-ways" });
    ways.append(show, link, made("span", "", { className: "xp-gap" }));
    if (number) ways.append(way("Back", () => open(number - 1)));
    ways.append(number + 1 < STATIONS.length ? way("Next", () => open(number + 1), "xp-next") : way("Done", close, "xp-next"));
    box.replaceChildren(head, made("p", text(view.trace)), stage, seen, ways);
    box.hidden = false;
    $("tour").textContent = "End the tour";
  };

  const way = (text, act, id = "") => made("button", text, { type: "button", onclick: act, id });

  const figure = (canvas, caption) => {
    const box = made("figure");
    box.append(canvas, made("figcaption", caption));
    return box;
  };

  const canvasOf = (side) => Object.assign(made("canvas"), { width: side, height: side });

  // Left the scales one after another, right the finished picture uncovered token by token, in the same time.
  function race() {
    cancelAnimationFrame(running);
    const { images, sides, lengths } = view.trace, size = 220, [left, right] = [canvasOf(size), canvasOf(size)];
    const counts = [made("figcaption"), made("figcaption")];
    const boxes = [left, right].map((canvas, n) => {
      const box = made("figure");
      box.append(canvas, counts[n]);
      return box;
    });
    $("stage").replaceChildren(...boxes);
    const began = performance.now(), cells = lengths.at(-1), side = sides.at(-1), cell = size / side;
    const frame = (now) => {
      const share = Math.min(1, (now - began) / RASTER_MS), scale = Math.min(images.length - 1, Math.floor(share * images.length)), done = Math.floor(share * cells);
      left.getContext("2d").drawImage(images[scale], 0, 0, size, size);
      const context = right.getContext("2d"), rows = Math.floor(done / side);
      context.save();
      context.beginPath();
      context.rect(0, 0, size, rows * cell);
      context.rect(0, rows * cell, (done % side) * cell, cell);
      context.clip();
      context.drawImage(images.at(-1), 0, 0, size, size);
      context.restore();
      counts[0].textContent = `next scale: step ${scale + 1} of ${images.length}`;
      counts[1].textContent = `raster order: step ${done} of ${cells}`;
      if (share < 1) running = requestAnimationFrame(frame);
    };
    running = requestAnimationFrame(frame);
  }

  // The block-causal mask of this very schedule, one pixel for a token and more where there is room.
  function mask() {
    const { starts, lengths, sides } = view.trace, total = starts.at(-1) + lengths.at(-1), size = 440, unit = size / total;
    const canvas = canvasOf(size), context = canvas.getContext("2d");
    lengths.forEach((length, from) => {
      for (let to = 0; to <= from; to += 1) {
        const [red, green, blue] = explorer.HEAT[Math.round(((explorer.HEAT.length - 1) * to) / Math.max(1, last()))];
        context.fillStyle = `rgb(${red} ${green} ${blue})`;
        context.fillRect(starts[to] * unit, starts[from] * unit, lengths[to] * unit, length * unit);
      }
    });
    const colours = sides.map((side) => `${side} × ${side}`).join(", ");
    $("stage").replaceChildren(figure(canvas, `${total} × ${total} tokens; blue to yellow: the scales that are looked at, ${colours}`));
  }

  // A token whose code the most scales use.
  function wanderer() {
    const { tokens, starts, lengths } = view.trace, scales = new Map();
    lengths.forEach((length, scale) => {
      for (let place = 0; place < length; place += 1) {
        const code = tokens[starts[scale] + place];
        scales.set(code, (scales.get(code) ?? new Map()).set(scale, place));
      }
    });
    const [best] = [...scales.values()].sort((one, other) => other.size - one.size), [scale, place] = [...best.entries()].at(-1);
    explorer.show({ layer: "tokens" });
    explorer.choose({ scale, place });
  }

  document.addEventListener("click", (event) => {
    if (event.target.id !== "xp-tour" || !view.trace) return;
    if ($("station").hidden) open(station); else close();
  });
})();
