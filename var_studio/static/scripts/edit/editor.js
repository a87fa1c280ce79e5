// Gradio's image editor, which is the Edit tab's canvas: it leaves itself on the window.

import { paced } from "./pace.js";

let editor;
let rest = () => {}; // ends the pace of the editor before
const listeners = [];

// The editor's shader looks, for every pixel, into each texture that it may have at once, which is 16 nearly everywhere:
// without a GPU a frame then takes three times as long. On the canvas lie a photo, a mask and a brush.
const TEXTURES = 4;
for (const { prototype } of [window.WebGLRenderingContext, window.WebGL2RenderingContext].filter(Boolean)) {
  const read = prototype.getParameter;
  prototype.getParameter = function (name) {
    const value = read.call(this, name);
    return name === this.MAX_TEXTURE_IMAGE_UNITS ? Math.min(value, TEXTURES) : value;
  };
}

export const editorNow = () => editor;

// Calls back with every editor that Gradio makes, before it has shown anything.
export const withEachEditor = (listener) => listeners.push(listener);

// The editor, if it is in sight and has a photo on it.
export const editorInSight = () =>
  editor?.background_image && document.querySelector("#canvas")?.offsetParent ? editor : null;

// The editor takes the size of its canvas from all that it ever drew, so that a mask laid on a smaller photo would be
// shifted. It shall take that of the photo.
const sizeByPhoto = (made) => {
  made.image_container.getLocalBounds = () => ({ x: 0, y: 0, width: made.width, height: made.height });
};

// The editor blurs a faint shadow of the photo anew for every frame: without a GPU that takes longer than all the rest.
const dropShadow = (made) => {
  made.outline_graphics.filters = [];
};

// What another version of the editor does not allow is missed; the canvas itself shall work.
const tell = (listener, made) => {
  try {
    listener(made);
  } catch (error) {
    console.error(error);
  }
};

Object.defineProperty(window, "editor", {
  get: () => editor,
  set: (made) => {
    editor = made;
    rest();
    if (!made) return;
    made.ready.then(() => {
      sizeByPhoto(made);
      rest = paced(made.app.ticker);
      tell(dropShadow, made);
    });
    for (const listener of listeners) tell(listener, made);
  },
});
