// The brush and the eraser of the canvas: their size is that on the screen, however large the photo is shown.
import { nextBrushSize } from "../shared/geometry.js";
import { editorNow, withEachEditor } from "./editor.js";

const sizes = { brush: 24, eraser: 24 }; // pixels on the screen; Gradio tells others as soon as it has an editor

// Gives a tool of the editor its size in pixels of the canvas, which is what the editor counts in.
const keepOnScreen = (made, name) => {
  const brush = made.tools.get("brush");
  const set = brush[`set_${name}_size`].bind(brush);
  let scale = 1;
  const renew = () => set(sizes[name] / scale);
  brush[`set_${name}_size`] = (size) => {
    sizes[name] = size;
    renew();
  };
  made.scale.subscribe((now) => {
    scale = now || 1;
    renew();
  });
};

// How far the tool that is chosen reaches, in pixels of the screen.
export const brushRadius = (made) => sizes[made.tools.get("brush").current_tool === "erase" ? "eraser" : "brush"];

export const resizeBrush = (larger) => {
  const brush = editorNow()?.tools.get("brush");
  brush?.set_brush_size(nextBrushSize(sizes.brush, larger));
  brush?.set_eraser_size(nextBrushSize(sizes.eraser, larger));
};

// Takes back the stroke that is being drawn, as if it had never begun.
export const dropStroke = (made) => {
  const brush = made.tools.get("brush");
  const textures = brush.brush_textures;
  if (!brush.is_drawing || !textures) return;
  brush.is_drawing = false;
  textures.is_new_stroke = true; // the next one begins with empty textures
  if (textures.preview_sprite) textures.preview_sprite.visible = false;
};

withEachEditor((made) => {
  keepOnScreen(made, "brush");
  keepOnScreen(made, "eraser");
});
