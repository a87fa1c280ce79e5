// Every shortcut of the page: [keys, any of which does it, and what it does], by the place where it works.

export const KEYS = {
  Anywhere: [
    [["Ctrl+Enter"], "run"],
    [["Alt+1", "Alt+2", "Alt+3", "Alt+4"], "to Create, Edit, Explore or Learn"],
    [["←", "→"], "on the tabs, and in a row of choices: to the one beside it"],
    [["Tab"], "to the next control; a row of choices is one stop"],
    [["Ctrl+V"], "open the picture that was copied"],
    [["?"], "open or close this list"],
    [["Esc"], "close Your pictures"],
  ],
  "Edit, on the canvas": [
    [["B"], "brush"],
    [["E"], "eraser"],
    [["L"], "lasso"],
    [["R"], "rectangle"],
    [["S"], "similar colour"],
    [["M"], "move: a drag, or one finger, moves the photo; if all of it is seen, a finger scrolls the page"],
    [["Shift+drag", "Shift+click", "Alt+drag"], "with these three: take away from what is painted"],
    [["Esc"], "drop what is being drawn"],
    [["[", "]"], "a smaller or a larger brush and eraser"],
    [["Ctrl+Z"], "take back what was painted last"],
    [["Ctrl+Y", "Ctrl+Shift+Z"], "bring it again"],
    [["+", "-"], "zoom in or out"],
    [["0"], "show all of the photo"],
    [["Arrows"], "move what is zoomed in"],
    [["Ctrl+wheel", "Alt+wheel"], "zoom at the pointer"],
    [["Space+drag", "middle button+drag"], "move the photo"],
    [["two fingers"], "zoom and move the photo; if all of it is seen, scroll the page"],
  ],
  "Edit, on the canvas or the small photo, reached by Tab": [
    [["Arrows"], "move the cross; with Shift in larger steps"],
    [["Space"], "paint or erase there; held down, along the arrows too"],
    [
      ["Enter"],
      "put the brush down, or lift it; mark a colour, or a corner: a rectangle has two, a lasso closes at the last one again",
    ],
    [["Esc"], "drop what was begun"],
  ],
  Explore: [
    [["←", "→"], "a scale back or on"],
    [["Space"], "play or stop"],
    [["Arrows"], "on the large picture: from token to token"],
    [["Enter"], "on the large picture: choose the token"],
    [["Esc"], "end the tour"],
  ],
};
