// Keys of the Edit tab's canvas that change strokes.
import { isTyping } from "../shared/elements.js";
import { resizeBrush } from "./brush.js";
import { editorNow } from "./editor.js";

// [ and ] change the size of brush and eraser, Ctrl-Z takes a stroke back, Ctrl-Y brings it again.
const press = (event) => {
  const canvas = document.querySelector("#canvas");
  if (!canvas?.offsetParent || isTyping(event.target)) return;
  const key = event.key.toLowerCase();
  const held = (event.ctrlKey || event.metaKey) && !event.getModifierState("AltGraph"); // [ may need AltGr
  if (!held && (key === "[" || key === "]")) resizeBrush(key === "]");
  else if (held && (key === "y" || (key === "z" && event.shiftKey))) editorNow()?.redo();
  else if (held && key === "z") editorNow()?.undo();
  else return;
  event.preventDefault();
};

document.addEventListener("keydown", press);
