// Buttons that copy a link or a text to the clipboard, and say so for a moment.
const SAID = 1500; // milliseconds

// Without TLS a page has no clipboard of its own, but may copy what is selected.
const copySelected = (text) => {
  const box = document.createElement("textarea");
  box.value = text;
  box.style.position = "fixed";
  box.style.opacity = "0";
  document.body.append(box);
  box.select();
  const copied = document.execCommand("copy");
  box.remove();
  return copied;
};

const copyText = async (text) => {
  if (!navigator.clipboard) return copySelected(text);
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
};

const copy = async (event) => {
  const button = event.target.closest("[data-copy-link], [data-copy-text], [data-copy-curl]");
  if (!button || button.dataset.words) return;
  const { copyLink, copyText: text, copyCurl } = button.dataset;
  const [here] = location.href.split(/[?#]/);
  const called = copyCurl?.replaceAll("ADDRESS", here.replace(/\/$/, ""));
  const copied = await copyText(copyLink ? new URL(copyLink, here).href : (called ?? text));
  button.dataset.words = button.textContent;
  button.textContent = copied ? "Copied" : "The browser does not allow it";
  setTimeout(() => {
    button.textContent = button.dataset.words;
    delete button.dataset.words;
  }, SAID);
};

document.addEventListener("click", copy);
