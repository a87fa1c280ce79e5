// The list of all shortcuts, as a dialog: "?" opens and closes it, and so does the button in the header.
import { box, isTyping, made } from "../shared/elements.js";
import { KEYS } from "./keys.js";

const onMac = /Mac|iP/.test(navigator.platform);

const keyCap = (text) => made("kbd", onMac ? text.replace("Ctrl", "Cmd") : text);

const row = ([keys, does]) =>
  box("", [
    box(
      "",
      keys.flatMap((key, n) => (n ? [" or ", keyCap(key)] : [keyCap(key)])),
      "dt",
    ),
    made("dd", does),
  ]);

const section = ([where, rows]) => box("", [made("h3", where), box("", rows.map(row), "dl")], "section");

const filled = () => {
  const dialog = made("dialog", "", { id: "shortcut_list" });
  dialog.setAttribute("aria-labelledby", "shortcut_title");
  const close = made("button", "Close", { type: "button", onclick: () => dialog.close() });
  const title = made("h2", "Keyboard, mouse and fingers", { id: "shortcut_title" });
  const forgetting = made("button", "Forget my settings", { type: "button", id: "forget_all" });
  forgetting.onclick = () => {
    document.querySelector("#forget").click();
    forgetting.textContent = "Forgotten";
  };
  const kept = made("p", "Settings, seeds and theme are kept in this browser, and nowhere else.");
  dialog.append(
    box("", [box("top", [title, close]), box("memory", [kept, forgetting]), ...Object.entries(KEYS).map(section)]),
  );
  // what is clicked is the dialog itself only outside of what it holds
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.querySelector(".gradio-container").append(dialog); // where the theme's colours are known
  return dialog;
};

const toggle = () => {
  const dialog = document.querySelector("#shortcut_list") ?? filled();
  if (dialog.open) dialog.close();
  else dialog.showModal();
};

const press = (event) => {
  const open = document.querySelector("#shortcut_list")?.open;
  if (event.key !== "?" || event.ctrlKey || event.metaKey || (isTyping(event.target) && !open)) return;
  event.preventDefault();
  toggle();
};

document.addEventListener("keydown", press);
document.addEventListener("click", (event) => event.target.closest("#shortcuts") && toggle());
