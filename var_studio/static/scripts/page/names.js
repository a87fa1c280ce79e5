// Rows of choices are named for those who hear them: Gradio writes the name beside the row, and does not tie it to it.
const name = () => {
  for (const row of document.querySelectorAll("fieldset:not([aria-label])")) {
    const said = row.querySelector("[data-testid=block-info]")?.textContent.trim();
    if (said) row.setAttribute("aria-label", said);
  }
};

document.addEventListener("focusin", name);
