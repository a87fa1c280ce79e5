// How well a choice of a list fits what was typed.

const NONE = 4;

// 0: it is one of the names. 1: it begins the text. 2: it begins a word. 3: it is somewhere in it. 4: it is not.
export const fit = (text, typed) => {
  const whole = text.toLowerCase();
  const wanted = typed.trim().toLowerCase();
  if (!whole.includes(wanted)) return NONE;
  if (whole.split(", ").includes(wanted) || whole === wanted) return 0;
  if (whole.startsWith(wanted)) return 1;
  return whole.split(/[\s,\-/(]+/).some((word) => word.startsWith(wanted)) ? 2 : 3;
};

// The choices that fit, the best first; those that fit alike stay in their order.
export const ranked = (choices, typed, textOf = String) =>
  choices
    .map((choice, place) => ({ choice, place, fit: fit(textOf(choice), typed) }))
    .filter((one) => one.fit < NONE)
    .sort((one, other) => one.fit - other.fit || one.place - other.place)
    .map((one) => one.choice);
