// Until the settings that the page's address asks for have arrived, Run would draw others: a click on it waits.
let opening = true;
let held = null;

const hold = (event) => {
  const button = opening && event.target.closest(".run");
  if (!button) return;
  event.preventDefault();
  event.stopPropagation();
  held = button;
};

export const isOpen = () => !opening;

// Called once the settings have arrived, or were refused.
export const opened = () => {
  opening = false;
  document.documentElement.classList.add("opened");
  setTimeout(() => held?.click()); // the widgets first take what they are told
};

document.addEventListener("click", hold, true);
