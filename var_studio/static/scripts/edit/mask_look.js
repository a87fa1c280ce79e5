// The colour of the mask on the Edit tab's canvas. What is painted is white and covers all; it is shown with another
// colour and lighter, so that both can change at any time, and what the server gets does not.
import { colours, markAlpha } from "../shared/constants.js";
import { shareOf } from "../shared/geometry.js";
import { editorNow, withEachEditor } from "./editor.js";

const WHITE = "#ffffff";
let look = { tint: colours.mark, alpha: markAlpha };

const dress = (made, { tint, alpha }) => {
  for (const { container } of made.layer_manager.layers) Object.assign(container, { tint, alpha });
};

// What the brush itself shows: the stroke that is being drawn, and its cursor. The eraser's are white.
const dressBrush = (made) => {
  const { brush_cursor, brush_textures, state } = made.tools.get("brush");
  const tint = state.mode === "draw" ? look.tint : WHITE;
  Object.assign(brush_textures?.display_container ?? {}, { tint, alpha: look.alpha });
  Object.assign(brush_cursor?.cursor_container ?? {}, { tint });
  Object.assign(brush_cursor?.brush_preview_container ?? {}, { tint });
};

// Pixels are read as they were painted.
const readPlain = (made) => {
  const { extract } = made.app.renderer;
  const read = extract.pixels.bind(extract);
  extract.pixels = (options) => {
    dress(made, { tint: WHITE, alpha: 1 });
    try {
      return read(options);
    } finally {
      dress(made, look);
    }
  };
};

const COARSE = 200; // pixels of the photo's longer side, when what is painted is measured
const HALF = 127; // of the levels of an alpha channel

// The share of the photo that is painted, from 0 to 1.
export const paintedShare = (made) => {
  const frame = Object.assign(made.app.screen.clone(), { x: 0, y: 0, width: made.width, height: made.height });
  const resolution = Math.min(1, COARSE / Math.max(made.width, made.height));
  const { extract } = made.app.renderer;
  const layers = made.layer_manager.layers.map(
    ({ container }) => extract.pixels({ target: container, resolution, frame }).pixels,
  );
  return shareOf(layers.map((pixels) => pixels.filter((_, index) => index % 4 === 3).map((alpha) => alpha > HALF)));
};

// Called with what the widgets say: a colour as CSS has it, and per cent.
export const showMask = (colour, opacity) => {
  look = { tint: colour, alpha: opacity / 100 };
  document.documentElement.style.setProperty("--mask", colour); // the canvas may not be there yet
  editorNow()?.wake_render_loop();
};

withEachEditor((made) => {
  const brush = made.tools.get("brush");
  const [paint, cover] = [brush.set_brush_color.bind(brush), brush.set_brush_opacity.bind(brush)];
  brush.set_brush_color = () => paint(WHITE);
  brush.set_brush_opacity = () => cover(1);
  made.ready.then(() => {
    readPlain(made);
    made.app.ticker.add(() => {
      dress(made, look);
      dressBrush(made);
    });
  });
});
