// While "Hold to compare" on the Edit tab is pressed, style sheets show the photo as it was in place of the result.
const PRESSING = ["Enter", " "];
let held = null; // the button that is pressed

const release = () => {
  held?.setAttribute("aria-pressed", "false");
  held = null;
};

const press = (button) => {
  release();
  held = button;
  held.setAttribute("aria-pressed", "true");
};

const holder = (event) => event.target.closest?.(".hold");

document.addEventListener("pointerdown", (event) => {
  if (holder(event) && !event.button) press(holder(event));
});
document.addEventListener("keydown", (event) => {
  if (!holder(event) || !PRESSING.includes(event.key)) return;
  if (event.ctrlKey || event.metaKey) return; // Ctrl-Enter runs
  event.preventDefault(); // Space would scroll
  if (!event.repeat) press(holder(event));
});
document.addEventListener("contextmenu", (event) => {
  if (holder(event)) event.preventDefault(); // a finger that rests
});
for (const end of ["pointerup", "pointercancel", "keyup"]) document.addEventListener(end, release);
document.addEventListener("focusout", (event) => event.target === held && release());
window.addEventListener("blur", release);
