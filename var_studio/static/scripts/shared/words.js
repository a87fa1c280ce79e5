// Numbers as people read them.

// The setting that a widget's id names, which may begin with that of a tab.
export const settingOf = (id, names) =>
  names
    .filter((name) => id === name || id.endsWith(`_${name}`))
    .reduce((longest, name) => (name.length > longest.length ? name : longest), "");

// Three digits; below 0.001 no digits.
export const round = (value) =>
  value && Math.abs(value) < 0.001 ? "under 0.001" : Number(value.toPrecision(3)).toString();

// A fraction in per cent.
export const percent = (fraction) => `${fraction > 0 && fraction < 0.001 ? "under 0.1" : round(100 * fraction)} %`;

const tenths = (fraction) => `${Number((100 * fraction).toFixed(1))} %`;

// A place of a photo, from 0 to 1 across and down.
export const placeInWords = ([x, y]) => `x ${tenths(x)}, y ${tenths(y)}`;

export const sizeOf = (side) => `${side} × ${side}`;

// Values in the largest of the units [name, size] in which the largest value still has two digits before the point;
// `values` may hold null.
export const inUnits = (values, units) => {
  const most = Math.max(...values);
  const [unit, size] = units.findLast(([, one]) => most >= 10 * one) ?? units[0];
  return { unit, values: values.map((value) => value && value / size) };
};

const PREFIXES = ["", "edit_", "explore_", "extend_", "mask_"]; // of ids of fields
const OF_CLASSES = /^(There is no class |Choose a class|'.*' may mean )/;

// The ids that the field may have which an error is about: errors begin with its name, or with what `terms`
// {words of errors: id} calls it, or speak of a class.
export const fieldIdsOf = (error, terms) => {
  if (OF_CLASSES.test(error)) return ["class", "into", "explore_class"];
  const [term] = Object.keys(terms)
    .filter((one) => error.startsWith(`${one} `))
    .sort((one, other) => other.length - one.length); // "guidance ramp" before "guidance"
  const name = terms[term] ?? error.split(" ")[0];
  return /^[a-z_]+$/.test(name) ? PREFIXES.map((prefix) => prefix + name) : [];
};
