// What the browser keeps for this page between visits; nothing where it may keep nothing.
const PREFIX = "var-studio-";

// Merely to ask for the storage is an error where it is forbidden: the page works all the same.
const attempted = (act) => {
  try {
    return act(globalThis.localStorage);
  } catch {
    return null;
  }
};

export const recalled = (name) => attempted((storage) => storage.getItem(PREFIX + name));
export const kept = (name, value) => attempted((storage) => storage.setItem(PREFIX + name, value));

export const dropAll = () =>
  attempted((storage) => {
    for (const key of Object.keys(storage).filter((name) => name.startsWith(PREFIX))) storage.removeItem(key);
  });
