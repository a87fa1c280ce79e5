// The pictures of the visit: a button at the foot of the page opens them, a click on one shows it large, and those that
// are ticked are compared or downloaded.
const MOST_COMPARED = 2;
const AWAY = "#visit_edit, #visit_look, #visit_use, #visit_see, #visit_draw"; // they lead to a tab
const ticked = new Set(); // names of pictures
let strip = null;
let held = null; // the name of the picture whose button or box has the focus
let naming = null;

const panel = () => strip?.closest("#visit");
const isOpen = () => Boolean(panel()?.hasAttribute("data-open"));
const found = (selector) => strip?.querySelector(selector);

// Open or close the panel; the focus goes to where one goes on.
const open = (on) => {
  panel().toggleAttribute("data-open", on);
  found(".visit-open")?.setAttribute("aria-expanded", String(on));
  found(on ? ".visit-close" : ".visit-open")?.focus({ preventScroll: true });
};

const names = () => [...strip.querySelectorAll("[data-picture]")].map((card) => card.dataset.picture);

// Say what can be done with so many ticked ones.
const setTools = () => {
  const count = ticked.size;
  const [compare, pack] = ["compare", "pack"].map((act) => found(`[data-visit="${act}"]`));
  if (!compare) return;
  compare.disabled = count !== MOST_COMPARED;
  pack.disabled = !count;
  pack.textContent = count ? `Download ZIP (${count})` : "Download ZIP";
};

// Gradio puts the large picture into a button that has no name, and does nothing: this one fills the screen.
const nameLarge = () => {
  for (const button of panel()?.querySelectorAll(".image-container > button:not([aria-label])") ?? [])
    button.setAttribute("aria-label", "Full screen");
};

const fillScreen = (event) =>
  event.target.closest("#visit .image-container > button") &&
  panel().querySelector("#visit_picture .icon-button").click();

// The strip has been drawn anew: what was ticked and where the focus was is so again.
const redrawn = () => {
  if (!naming) {
    naming = new MutationObserver(nameLarge);
    naming.observe(panel(), { childList: true, subtree: true });
  }
  const here = names();
  for (const name of [...ticked].filter((one) => !here.includes(one))) ticked.delete(name);
  for (const name of ticked) found(`[data-picture="${name}"] input`).checked = true;
  setTools();
  if (!here.length) panel().removeAttribute("data-open");
  found(".visit-open")?.setAttribute("aria-expanded", String(isOpen()));
  if (held && document.activeElement === document.body) found(held)?.focus({ preventScroll: true });
};

// How to find again what has the focus in the strip.
const pathOf = (element) => {
  const card = element.closest("[data-picture]");
  if (card) return `[data-picture="${card.dataset.picture}"] ${element.localName}`;
  return element.dataset.visit ? `[data-visit="${element.dataset.visit}"]` : `.${element.className}`;
};

// `act` and `pack` tell the server what is wanted; `watch` calls back once the strip has been drawn anew.
const connect = (element, act, pack, watch) => {
  strip = element;
  element.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const name = button?.closest("[data-picture]")?.dataset.picture;
    if (name) act({ does: "show", name });
    else if (button?.matches(".visit-close")) open(false);
    else if (button?.matches(".visit-open")) {
      open(true);
      act({ does: "show", name: found('[aria-pressed="true"]')?.parentElement.dataset.picture ?? names()[0] });
    } else if (button) {
      const chosen = names().filter((one) => ticked.has(one));
      if (button.dataset.visit === "pack") pack({ names: chosen });
      else act({ does: "compare", names: chosen.reverse() }); // the earlier one at the left
    }
  });
  element.addEventListener("change", (event) => {
    const { picture } = event.target.closest("[data-picture]").dataset;
    if (event.target.checked) ticked.add(picture);
    else ticked.delete(picture);
    setTools();
  });
  element.addEventListener("focusin", (event) => {
    held = pathOf(event.target);
  });
  element.addEventListener("focusout", (event) => {
    if (event.relatedTarget) held = null;
  });
  watch("value", redrawn);
};

document.addEventListener("click", fillScreen);

document.addEventListener("click", (event) => isOpen() && event.target.closest(AWAY) && open(false));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !isOpen() || document.querySelector("dialog[open]")) return;
  const inside = event.target === document.body || event.target.closest("#visit");
  if (inside) open(false);
});

export const visitPictures = { connect };
