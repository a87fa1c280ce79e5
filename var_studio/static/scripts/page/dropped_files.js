// A file dropped anywhere on the page goes to the button of the tab in sight that opens such a file.

const carriesFile = (event) => event.dataTransfer?.types.includes("Files");
const mark = (on) => document.body.classList.toggle("dropping", on);

const over = (event) => {
  if (!carriesFile(event)) return;
  event.preventDefault();
  mark(true);
};

const drop = (event) => {
  if (!carriesFile(event)) return;
  event.preventDefault();
  mark(false);
  const { files } = event.dataTransfer;
  const explored = files[0]?.name.endsWith(".safetensors") ? "#explore_file" : "#explore_picture";
  const buttons = ["#open", explored, "#restore", "#ln_open"].map((name) => document.querySelector(name));
  const input = buttons.find((button) => button?.closest(".tab").offsetParent)?.previousElementSibling;
  if (!input) return;
  input.files = files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
};

document.addEventListener("dragover", over);
document.addEventListener("dragleave", (event) => event.relatedTarget || mark(false));
document.addEventListener("drop", drop);
