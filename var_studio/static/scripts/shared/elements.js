// Elements of the page.

export const made = (kind, text = "", properties = {}) =>
  Object.assign(document.createElement(kind), { textContent: text, ...properties });

export const box = (className, parts, kind = "div") => {
  const element = made(kind, "", { className });
  element.append(...parts);
  return element;
};

// A heading with a quieter text beside it.
export const titled = (kind, text, more) => box("", [text, made("span", ` ${more}`)], kind);

export const pressed = (element, on) => {
  element.setAttribute("aria-pressed", String(on));
  return element;
};

// How the page may scroll, as its visitor wants it.
export const scrollBehavior = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth");
