// What a text is in another language.

const PARTS = /\{(\w+)\}/g;
const SPECIAL = /[.*+?^$()|[\]\\]/g;
const BETWEEN = [". ", " · ", "; ", ", ", ": "]; // between texts that stand in one line

// What stands for a part: a number for {1}, any text of one sentence for {name}.
const anyOf = (_, name) => (/\d/.test(name) ? `(?<n${name}>[\\d.,]+)` : `(?<${name}>(?:(?!\\. ).)+?)`);

const patternOf = (english) => new RegExp(`^${english.replace(SPECIAL, "\\$&").replace(PARTS, anyOf)}$`);

const ENGLISH = /^(\d{1,3}(,\d{3})+(\.\d+)?|\d+\.\d+)$/; // numbers that other languages may write otherwise

// Writes a number as a language does, with as many digits: "1,200.5" in German as "1.200,5".
const numberIn = (language) => {
  const parts = new Intl.NumberFormat(language).formatToParts(12345.6);
  const [group, decimal] = ["group", "decimal"].map((type) => parts.find((part) => part.type === type)?.value ?? "");
  return (text) => (ENGLISH.test(text) ? text.replace(/[.,]/g, (mark) => (mark === "," ? group : decimal)) : text);
};

// The function that translates by a catalogue {English text: text} of a language, in which {1} stands for a number and
// {name} for any text, which is translated in turn. A text that the catalogue does not have stays as it is.
export const translator = (catalogue, language) => {
  const number = numberIn(language);
  const patterns = Object.entries(catalogue)
    .filter(([english]) => english.includes("{"))
    .sort(([one], [other]) => other.replace(PARTS, "").length - one.replace(PARTS, "").length) // the narrowest first
    .map(([english, said]) => [patternOf(english), said]);

  const filled = (text) => {
    for (const [pattern, said] of patterns) {
      const parts = pattern.exec(text)?.groups;
      const part = (name) => (parts[name] === undefined ? number(parts[`n${name}`]) : say(parts[name]));
      if (parts) return said.replace(PARTS, (_, name) => part(name));
    }
    return null;
  };

  const joined = (text) => {
    const mark = BETWEEN.find((one) => text.includes(one));
    return mark ? text.split(mark).map(say).join(mark) : text;
  };

  const say = (text) => (Object.hasOwn(catalogue, text) ? catalogue[text] : (filled(text) ?? joined(text)));
  return say;
};

// The language of those that there are which a tag such as "de-AT" asks for; null for others.
export const languageOf = (tag, languages) =>
  languages.find((language) => tag?.toLowerCase().split("-")[0] === language) ?? null;
