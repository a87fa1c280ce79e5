// The guided tour of the Explore tab: six stations on whatever picture is looked at. Each says two sentences, has one
// thing to click and one thing to see.
(() => {
  const PAPER = "https://arxiv.org/abs/2404.02905";
  const RASTER_MS = 4500; // how long the raster order takes in the third station
  const { $, made, box } = panels;
  const { view } = explorer;
  const last = () => view.trace.sides.length - 1;
  let station = 0;
  let running = 0;

  const STATIONS = [
    {
      title: "A picture made of tokens",
      text: (t) => `The model paints no pixels. It fills a map with tokens, each one of ${t.colours.length / 3} codes, and a decoder turns the map of codes into a picture; `
        + "a picture of yours, opened in the controls, is taken apart into tokens in the same way.",
      click: "Show the tokens",
      see: "One coloured square is one token. Codes that do like things have like colours; point at squares to see which code it is.",
      section: "3.2, multi-scale VQ tokenizer",
      act: () => explorer.show({ layer: "tokens", scale: last() }),
    },
    {
      title: "A pyramid of corrections",
      text: () => "A scale does not repeat the picture: it codes only the error that all coarser scales have left. "
        + "Its map is enlarged and added to one running sum (the paper calls it f_hat), and the decoder always sees the whole sum, never one scale alone.",
      click: "Play what each scale adds",
      see: "Grey means that nothing was added. First come the large colours, then outlines, at last texture.",
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
      text: () => "To choose a code, the model looks at other tokens: that is attention. All tokens of one scale are chosen in the same moment, "
        + "each from what the coarser scales say; the mask shows who may look at whom: everything coarser, and the places of its own scale.",
      click: "Show the mask",
      see: "A row is a token that looks, a column one that is looked at. Coloured is allowed, empty is not: finer tokens do not exist yet. Each step of the staircase is a scale.",
      section: "3.2, figure 4",
      act: mask,
    },
    {
      title: "One codebook for all scales",
      text: () => "All scales share one codebook: the same code may tint the whole picture at 1 × 1 and be a speck at the finest scale. "
        + "What it does depends on how large its square is.",
      click: "Find a code that many scales use",
      see: "Pink is one place, white frames are the others: here, and in the token maps of the film strip below. At the right it says how many at which scale.",
      section: "3.2, shared codebook",
      act: wanderer,
    },
    {
      title: "Guidance",
      text: () => "The model predicts everything twice, with the class and without, and guidance exaggerates the difference: in the paper more at every finer scale, here by as much as the guidance ramp says. "
        + "Too little, and the class is weak; too much, and pictures become garish.",
      click: "Show where it changed the choice",
      see: (t) => (t.unguided.every((code) => code < 0)
        ? "All grey: nothing of this picture was chosen by the model. Draw one, and look again."
        : "Yellow squares would be other codes without guidance. Then turn the Guidance knob in the controls: the same seed, another picture."),
      section: "3.3 and 4.1",
      act: () => explorer.show({ layer: "unguided", scale: last() }),
    },
  ];

  const close = () => {
    cancelAnimationFrame(running);
    if ($("station").contains(document.activeElement)) $("tour").focus({ preventScroll: true });
    $("station").hidden = true;
    $("tour").textContent = "Take the tour";
  };

  const open = (number) => {
    cancelAnimationFrame(running);
    station = number;
    const place = $("station"), { title, text, click, see, section, act } = STATIONS[number];
    const head = made("h3", `${number + 1} of ${STATIONS.length}: ${title}`, { tabIndex: -1 });
    const seen = made("p", "", { className: "xp-see" }), stage = made("div", "", { className: "xp-stage", id: "xp-stage" });
    const show = made("button", click, { type: "button", id: "xp-show", onclick: () => {
      seen.textContent = typeof see === "function" ? see(view.trace) : see;
      act();
    } });
    const link = made("a", `the paper, section ${section}`, { href: PAPER, target: "_blank", rel: "noopener" });
    const ways = made("div", "", { className: "xp-ways" });
    ways.append(show, link, made("span", "", { className: "xp-gap" }));
    if (number) ways.append(way("Back", () => open(number - 1)));
    ways.append(number + 1 < STATIONS.length ? way("Next", () => open(number + 1), "xp-next") : way("Done", close, "xp-next"));
    place.replaceChildren(head, made("p", text(view.trace)), stage, seen, ways);
    place.hidden = false;
    head.focus({ preventScroll: true });
    $("tour").textContent = "End the tour";
  };

  const way = (text, act, id = "") => made("button", text, { type: "button", onclick: act, id });

  const figure = (canvas, caption) => box("", [canvas, caption], "figure");

  // Left the scales one after another, right the finished picture uncovered token by token, in the same time.
  function race() {
    cancelAnimationFrame(running);
    const { images, sides, lengths } = view.trace, size = 180, [left, right] = [maps.canvas(size), maps.canvas(size)];
    const counts = [made("figcaption"), made("figcaption")];
    $("stage").replaceChildren(figure(left, counts[0]), figure(right, counts[1]));
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
    const { starts, lengths, sides } = view.trace, total = starts.at(-1) + lengths.at(-1), size = 320, unit = size / total;
    const canvas = maps.canvas(size), context = canvas.getContext("2d");
    lengths.forEach((length, from) => {
      for (let to = 0; to <= from; to += 1) {
        const [red, green, blue] = maps.HEAT[Math.round(((maps.HEAT.length - 1) * to) / Math.max(1, last()))];
        context.fillStyle = `rgb(${red} ${green} ${blue})`;
        context.fillRect(starts[to] * unit, starts[from] * unit, lengths[to] * unit, length * unit);
      }
    });
    const colours = sides.map((side) => `${side} × ${side}`).join(", ");
    $("stage").replaceChildren(figure(canvas, made("figcaption", `${total} × ${total} tokens; blue to yellow: the scales that are looked at, ${colours}`)));
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
    const [best] = [...scales.values()].sort((one, other) => other.size - one.size), [scale, place] = [...best.entries()].at(0);
    explorer.show({ layer: "tokens" });
    explorer.choose({ scale, place });
    explorer.show({ scale: [...best.keys()].at(-1) });
  }

  document.addEventListener("click", (event) => {
    if (event.target.id !== "xp-tour" || !view.trace) return;
    if ($("station").hidden) open(station); else close();
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && $("station") && !$("station").hidden && close());
})();
