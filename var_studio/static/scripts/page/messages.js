// The head of a message folds it. Gradio makes all of it a button, with the one that closes the message inside, which
// nobody can be told of who hears the page: the title alone is to be the button. What it is given rises to the head.
const HEADS = "[data-testid=toast-body] > [role=button]";

const mend = () => {
  for (const head of document.querySelectorAll(HEADS)) {
    const title = head.querySelector(".toast-title-row");
    if (!title) continue;
    for (const name of ["role", "tabindex"]) {
      title.setAttribute(name, head.getAttribute(name));
      head.removeAttribute(name);
    }
  }
};

const start = () => new MutationObserver(mend).observe(document.body, { childList: true, subtree: true });
if (document.body) start();
else document.addEventListener("DOMContentLoaded", start);
