// How often the canvas draws: it draws all the time, also what does not change.

const BUSY = 24; // frames a second while somebody is at it, and for a moment after
const IDLE = 4;
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
  return () => {
    for (const sign of SIGNS) seen.removeEventListener(sign, wake, { capture: true });
    clearTimeout(ending);
  };
};
