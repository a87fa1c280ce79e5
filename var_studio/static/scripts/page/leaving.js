// Whoever leaves the page while something runs is asked first.
const STOPS = "#stop, #edit_stop, #explore_stop, #ln_stop"; // only in the page while something runs

addEventListener("beforeunload", (event) => {
  const running = [...document.querySelectorAll(STOPS)].some((button) => !button.classList.contains("hidden"));
  if (!running) return;
  event.preventDefault();
  event.stopImmediatePropagation(); // Gradio would stop listening to the server, also for those who stay
});
