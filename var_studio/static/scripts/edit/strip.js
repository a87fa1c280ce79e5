// The strip of all edits of a visit on the Edit tab: a click on one shows it again.
const CARD = "[data-edit]";

// `choose` is told the place of the edit that was clicked; `watch` calls back once the strip has been drawn anew.
const connect = (strip, choose, watch) => {
  let held = null; // the place of the card that has the focus
  strip.addEventListener("click", (event) => {
    const card = event.target.closest(CARD);
    if (card) choose(Number(card.dataset.edit));
  });
  strip.addEventListener("focusin", (event) => {
    held = event.target.closest(CARD)?.dataset.edit ?? null;
  });
  strip.addEventListener("focusout", (event) => {
    if (event.relatedTarget) held = null;
  });
  watch("value", () => {
    if (held === null || document.activeElement !== document.body) return;
    strip.querySelector(`[data-edit="${held}"]`)?.focus({ preventScroll: true });
  });
};

export const editStrip = { connect };
