// The Edit tab's canvas, which is Gradio's image editor.
import { nextBrushSize } from "../shared/geometry.js";

let editor; // Gradio leaves it on the window

// The editor takes the size of its canvas from all that it ever drew, so that a mask laid on a smaller photo would be
// shifted. It shall take that of the photo.
const sizeByPhoto = (made) => {
  made.image_container.getLocalBounds = () => ({ x: 0, y: 0, width: made.width, height: made.height });
};

Object.defineProperty(window, "editor", {
  get: () => editor,
  set: (made) => {
    editor = made;
    made?.ready.then(() => sizeByPhoto(made));
  },
});

const resizeBrush = (larger) => {
  const brush = editor?.tools.get("brush");
  brush?.set_brush_size(nextBrushSize(brush.brush_size, larger));
  brush?.set_eraser_size(nextBrushSize(brush.eraser_size, larger));
};

// [ and ] change the size of brush and eraser, Ctrl-Z takes a stroke back, Ctrl-Y brings it again.
const press = (event) => {
  const canvas = document.querySelector("#canvas");
  if (!canvas?.offsetParent || event.target.closest("input, textarea")) return;
  const key = event.key.toLowerCase();
  const held = (event.ctrlKey || event.metaKey) && !event.getModifierState("AltGraph"); // [ may need AltGr
  if (!held && (key === "[" || key === "]")) resizeBrush(key === "]");
  else if (held && (key === "y" || (key === "z" && event.shiftKey))) editor?.redo();
  else if (held && key === "z") editor?.undo();
  else return;
  event.preventDefault();
};

document.addEventListener("keydown", press);
