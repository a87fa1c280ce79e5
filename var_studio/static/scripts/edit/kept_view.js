// The canvas lays photo and mask anew at every change of the mask, and shows all of the photo then. Who had zoomed in
// shall see the same part of it again, if it is the same photo.

const SIDE = 12; // of the tiny picture by which a photo is known again
const MOST_DIFFERENCE = 6; // levels: one pixel in the corner of what is shown changes each time

const tinyOf = (made) => {
  const photo = made.background_image?.texture?.source?.resource;
  if (!photo) return null;
  const small = new OffscreenCanvas(SIDE, SIDE).getContext("2d", { willReadFrequently: true });
  small.drawImage(photo, 0, 0, SIDE, SIDE);
  return small.getImageData(0, 0, SIDE, SIDE).data.slice(4);
};

const isSame = (one, other) =>
  one && other && one.every((level, index) => Math.abs(level - other[index]) <= MOST_DIFFERENCE);

// Watches an editor: what is seen before another photo is laid is seen after it, unless it is another photo.
export const keepView = (made, { viewOf, isZoomed, show }) => {
  const zoom = made.tools.get("zoom");
  const fit = zoom.set_zoom.bind(zoom);
  const lay = made.add_image_from_url.bind(made);
  let kept = null; // {view, size, tiny} of the photo that is being replaced
  let asked = false; // whether the user asks to see all of the photo
  let tiny = null; // of the photo that is shown

  const sizeOf = () => `${made.width} ${made.height} ${made.app.screen.width} ${made.app.screen.height}`;

  made.add_image_from_url = (url) => {
    if (made.background_image && isZoomed(made)) kept ??= { view: viewOf(made), size: sizeOf(), tiny };
    return lay(url);
  };
  let shown = "";
  zoom.set_zoom = (to) => {
    const before = kept;
    kept = null;
    const fresh = tinyOf(made);
    tiny = fresh;
    if (to !== "fit" || asked) return fit(to);
    if (before && before.size === sizeOf() && isSame(before.tiny, fresh)) return show(made, before.view);
    // the editor also fits the photo when the canvas is scrolled into sight
    if (!before && shown === sizeOf() && isZoomed(made)) return undefined;
    shown = sizeOf();
    return fit(to);
  };
  document.addEventListener(
    "click",
    (event) => {
      asked = Boolean(event.target.closest?.("#canvas .zoom-number"));
      setTimeout(() => {
        asked = false;
      });
    },
    true,
  );
};
