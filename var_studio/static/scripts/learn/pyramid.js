// The live picture of the Learn tab: one scale of it shows at a time.

const HOLD_MS = 700; // how long a scale stays when all are played
let playing = null; // {view, timer}

const show = (view, scale) => {
  for (const part of view.querySelectorAll("[data-scale]")) part.hidden = part.dataset.scale !== String(scale);
  for (const button of view.querySelectorAll("[data-go]")) {
    button.setAttribute("aria-pressed", button.dataset.go === String(scale));
  }
  const knob = view.querySelector("input");
  knob.value = scale;
  knob.setAttribute("aria-valuetext", `scale ${Number(scale) + 1}`);
};

const pause = () => {
  if (!playing) return;
  clearInterval(playing.timer);
  playing.view.querySelector(".ln-play").textContent = "Play";
  playing = null;
};

const play = (view) => {
  const knob = view.querySelector("input");
  const last = Number(knob.max);
  let scale = Number(knob.value) < last ? Number(knob.value) : 0; // from where it was paused, or the start
  show(view, scale);
  view.querySelector(".ln-play").textContent = "Pause";
  const timer = setInterval(() => {
    if (scale < last) {
      scale += 1;
      show(view, scale);
    }
    if (scale >= last || !view.isConnected) pause();
  }, HOLD_MS);
  playing = { view, timer };
};

const slide = (event) => {
  const view = event.target.closest(".ln-pyramid");
  if (!view) return;
  pause();
  show(view, event.target.value);
};

const click = (event) => {
  const button = event.target.closest(".ln-pyramid button");
  if (!button) return;
  const view = button.closest(".ln-pyramid");
  const was = playing?.view;
  pause();
  if (button.dataset.go) show(view, button.dataset.go);
  else if (was !== view) play(view);
};

document.addEventListener("input", slide);
document.addEventListener("click", click);
