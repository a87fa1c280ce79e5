// Keys of the Edit tab's canvas that choose tools and change strokes.
import { isTyping } from "../shared/elements.js";
import { resizeBrush } from "./brush.js";
import { editorInSight, editorNow, withEachEditor } from "./editor.js";
import { chooseOwnTool, chooseTool, TOOLS, toolNow, toolOf } from "./tools.js";

// What the editor has no strokes for is a change of the mask, which the server takes back and brings again.
const undo = () => (editorNow()?.command_manager.history.previous ? editorNow().undo() : act("undo"));
const redo = () => (editorNow()?.command_manager.history.next ? editorNow().redo() : act("redo"));
const act = (name) => document.querySelector(`#${name}_by_key`)?.click();

const OWN_TOOLS = { draw: "Brush", erase: "Erase" }; // of the editor, by its names for them: what its buttons are called

// The brush stands in the row and among the editor's own tools, the eraser only among these.
const take = (tool = TOOLS.b, own = "draw") => {
  if (tool !== toolNow()) chooseTool(tool);
  const { current_tool } = editorNow().tools.get("brush");
  if (tool === TOOLS.b && own !== current_tool) chooseOwnTool(OWN_TOOLS[own]); // once more would open its options
};

// Letters choose tools, [ and ] change the size of brush and eraser, Ctrl-Z takes back what was painted, Ctrl-Y brings it again.
const press = (event) => {
  const canvas = document.querySelector("#canvas");
  if (!canvas?.offsetParent || isTyping(event.target)) return;
  const key = event.key.toLowerCase();
  const held = (event.ctrlKey || event.metaKey) && !event.getModifierState("AltGraph"); // [ may need AltGr
  if (!held && (key === "[" || key === "]")) resizeBrush(key === "]");
  else if (!held && !event.altKey && editorInSight() && key === "e") take(TOOLS.b, "erase");
  else if (!held && !event.altKey && editorInSight() && toolOf(event)) take(toolOf(event));
  else if (held && (key === "y" || (key === "z" && event.shiftKey))) redo();
  else if (held && key === "z") undo();
  else return;
  event.preventDefault();
};

// A finger that means to scroll the page shall not paint: where one points by finger, painting is chosen first.
let begun = false;
withEachEditor((made) => {
  made.ready.then(() => {
    if (!begun && matchMedia("(pointer: coarse)").matches) chooseTool(TOOLS.m);
    begun = true;
  });
});

document.addEventListener("keydown", press);
