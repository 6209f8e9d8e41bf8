/** The state button and its menu: arrow keys, Home, End, letters, Escape; one item at a time can be tabbed to. */

const button = () => document.getElementById("state-button");
const menu = () => document.getElementById("state-menu");
const items = () => [...menu().querySelectorAll("[role=menuitem]")];

export function isMenuOpen() {
  return menu()?.hidden === false;
}

/** Show the menu in a fragment that is about to take the place of the open one. */
export function keepMenuOpen(fragment) {
  fragment.querySelector("#state-menu")?.removeAttribute("hidden");
  fragment.querySelector("#state-button")?.setAttribute("aria-expanded", "true");
}

function open(position = 0) {
  menu().hidden = false;
  button().setAttribute("aria-expanded", "true");
  items().at(position)?.focus();
}

function close({ isFocusBack = true } = {}) {
  if (!isMenuOpen()) return;
  menu().hidden = true;
  button().setAttribute("aria-expanded", "false");
  if (isFocusBack) button().focus();
}

function move(event) {
  const all = items();
  const place = all.indexOf(document.activeElement);
  const steps = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: -1 };
  if (event.key in steps) {
    event.preventDefault();
    all.at(steps[event.key] % all.length).focus();
  } else if (event.key.length === 1 && event.key !== " ") {
    const letter = event.key.toLocaleLowerCase();
    const after = [...all.slice(place + 1), ...all.slice(0, place + 1)];
    after.find((item) => item.textContent.trim().toLocaleLowerCase().startsWith(letter))?.focus();
  }
}

export function startMenu() {
  document.addEventListener("click", (event) => {
    if (event.target.closest("#state-button")) return isMenuOpen() ? close() : open();
    if (event.target.closest("#state-menu [role=menuitem]")) return close();
    if (!event.target.closest("#state-menu")) close({ isFocusBack: false });
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.closest?.("#state-button") && !isMenuOpen()) {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        open(event.key === "ArrowUp" ? -1 : 0);
      }
      return;
    }
    if (!isMenuOpen()) return;
    if (event.key === "Escape") close();
    else if (event.key === "Tab") close({ isFocusBack: false });
    else if (event.target.closest?.("#state")) move(event);
  });
}
