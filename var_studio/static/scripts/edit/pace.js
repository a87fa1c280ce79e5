// How often the canvas draws: from whatever happens on it until half a second later, also what does not change.

const BUSY = 24; // frames a second while somebody is at it, and for a moment after
const IDLE = 4;
const SLOWEST = 1; // frames a second, below which the time between two of them is counted as shorter than it was
const MOMENT = 2500; // milliseconds
const SIGNS = ["pointerdown", "pointermove", "pointerup", "wheel", "touchmove", "keydown", "input", "resize"];

// Lets a ticker run at full pace when the window sees that somebody is at it, and slowly when not.
export const paced = (ticker, seen = window) => {
  let ending;
  const wake = () => {
    ticker.maxFPS = BUSY;
    clearTimeout(ending);
    ending = setTimeout(() => {
      ticker.maxFPS = IDLE;
    }, MOMENT);
  };
  for (const sign of SIGNS) seen.addEventListener(sign, wake, { capture: true, passive: true });
  wake();
  ticker.minFPS = SLOWEST; // else where frames take long, without a GPU, many are drawn until half a second is counted
  return () => {
    for (const sign of SIGNS) seen.removeEventListener(sign, wake, { capture: true });
    clearTimeout(ending);
  };
};
