// Things in a row.

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

// What an arrow key leads to from one of a row, around its ends; null for other keys, and from elsewhere.
export const besideInRow = (row, now, key) => {
  const index = row.indexOf(now);
  return STEPS[key] && index >= 0 ? row[(index + STEPS[key] + row.length) % row.length] : null;
};
