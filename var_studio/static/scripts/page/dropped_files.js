// A file dropped anywhere on the page, or a picture pasted, goes to the button of the tab in sight that opens it.
import { isTyping } from "../shared/elements.js";

const carriesFile = (event) => event.dataTransfer?.types.includes("Files");
const mark = (on) => document.body.classList.toggle("dropping", on);

const over = (event) => {
  if (!carriesFile(event)) return;
  event.preventDefault();
  mark(true);
};

const open = (files) => {
  const explored = files[0]?.name.endsWith(".safetensors") ? "#explore_file" : "#explore_picture";
  const buttons = ["#open", explored, "#restore", "#ln_open"].map((name) => document.querySelector(name));
  const input = buttons.find((button) => button?.closest(".tab").offsetParent)?.previousElementSibling;
  if (!input) return;
  input.files = files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
};

const drop = (event) => {
  if (!carriesFile(event)) return;
  event.preventDefault();
  event.stopPropagation();
  mark(false);
  open(event.dataTransfer.files);
};

const paste = (event) => {
  const picture = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith("image/"));
  if (!picture || isTyping(event.target)) return;
  event.preventDefault();
  const carried = new DataTransfer(); // an input takes no other list of files
  carried.items.add(picture);
  open(carried.files);
};

// before the canvas of the Edit tab, which would keep them to itself
document.addEventListener("dragover", over, true);
document.addEventListener("dragleave", (event) => event.relatedTarget || mark(false), true);
document.addEventListener("drop", drop, true);
document.addEventListener("paste", paste);
