// What a drag, a click or a key on the Edit tab's canvas does: the tool that is chosen in the row above it.

export const TOOLS = { b: "Brush", l: "Lasso", r: "Rectangle", s: "Similar colour", m: "Move" }; // by their keys

// The tool that a key chooses.
export const toolOf = (event) => TOOLS[event.key.toLowerCase()];

export const toolNow = () => document.querySelector("#tool input:checked")?.value ?? TOOLS.b;

export const chooseTool = (tool) => document.querySelector(`#tool input[value="${tool}"]`)?.click();

export const takesAway = () => document.querySelector("#takes input")?.checked === true;

// Brush and eraser are also tools of the editor itself, each with a button.
export const chooseOwnTool = (name) =>
  document.querySelector(`#canvas .toolbar-wrap :is([aria-label="${name}"], [data-english="${name}"])`)?.click();
