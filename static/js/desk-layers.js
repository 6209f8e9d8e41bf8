/**
 * A dialog makes everything outside it unreachable. Requests must be answered and notices read nevertheless: while a
 * dialog is open they stand inside it.
 */

const CARRIED = ["requests", "notices", "announcements"];
const homes = new Map();
let opened = [];

function move(element, place) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  const header = element.id === "notices" && place.matches("dialog") && place.querySelector(":scope > header");
  if (header) header.after(element);
  else place.append(element);
  focused?.focus({ preventScroll: true });
}

function place() {
  opened = opened.filter((dialog) => dialog.isConnected && dialog.open);
  for (const id of CARRIED) {
    const element = document.getElementById(id);
    const wanted = opened.at(-1) ?? homes.get(id);
    if (element && element.parentElement !== wanted) move(element, wanted);
  }
}

/** Before something goes that they stand in: take them out, or they would go with it. */
export function bringHome(going) {
  for (const id of CARRIED) {
    const element = document.getElementById(id);
    if (element && element !== going && going?.contains(element)) move(element, homes.get(id));
  }
}

export function startLayers() {
  for (const id of CARRIED) homes.set(id, document.getElementById(id).parentElement);
  const observer = new MutationObserver((changes) => {
    for (const { target } of changes) {
      if (target.matches("dialog:modal") && !opened.includes(target)) opened.push(target);
    }
    place();
  });
  observer.observe(document.body, { subtree: true, attributeFilter: ["open"] });
  for (const event of ["htmx:beforeSwap", "htmx:oobBeforeSwap"]) {
    document.body.addEventListener(event, ({ detail }) => bringHome(detail.target));
  }
  document.body.addEventListener("htmx:afterSwap", place);
}
