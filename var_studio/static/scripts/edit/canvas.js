// Keys of the Edit tab's canvas that change strokes.
import { isTyping } from "../shared/elements.js";
import { resizeBrush } from "./brush.js";
import { editorNow } from "./editor.js";

// What the editor has no strokes for is a change of the mask, which the server takes back and brings again.
const undo = () => (editorNow()?.command_manager.history.previous ? editorNow().undo() : act("undo"));
const redo = () => (editorNow()?.command_manager.history.next ? editorNow().redo() : act("redo"));
const act = (name) => document.querySelector(`#${name}_by_key`)?.click();

// [ and ] change the size of brush and eraser, Ctrl-Z takes back what was painted, Ctrl-Y brings it again.
const press = (event) => {
  const canvas = document.querySelector("#canvas");
  if (!canvas?.offsetParent || isTyping(event.target)) return;
  const key = event.key.toLowerCase();
  const held = (event.ctrlKey || event.metaKey) && !event.getModifierState("AltGraph"); // [ may need AltGr
  if (!held && (key === "[" || key === "]")) resizeBrush(key === "]");
  else if (held && (key === "y" || (key === "z" && event.shiftKey))) redo();
  else if (held && key === "z") undo();
  else return;
  event.preventDefault();
};

document.addEventListener("keydown", press);
