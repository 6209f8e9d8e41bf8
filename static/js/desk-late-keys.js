/**
 * Keys that come late: a conversation may end or leave while somebody writes in it, and his hands write on for a moment.
 * What they write then is the rest of his sentence and reaches no other box, button or shortcut. A pause ends that, and
 * so does whatever he does on purpose: a click, Tab, Escape, a command.
 */

const PAUSE = 1_500;
const TEXT_KEYS = new Set(["Enter", "Backspace", "Delete"]);

let typedAt = -PAUSE;
let hasBoxGone = false;

/** Call when a box is out of the page that nobody left himself. */
export function boxWent() {
  hasBoxGone = true;
}

function forget() {
  typedAt = -PAUSE;
  hasBoxGone = false;
}

function key(event) {
  const isCommand = (event.altKey || event.ctrlKey || event.metaKey) && !event.getModifierState("AltGraph");
  if (isCommand || event.key === "Tab" || event.key === "Escape") return forget();
  if (event.key.length > 1 && !TEXT_KEYS.has(event.key)) return;
  if (event.timeStamp - typedAt >= PAUSE) hasBoxGone = false;
  if (hasBoxGone) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
  if (hasBoxGone || event.target.matches?.("textarea")) typedAt = event.timeStamp;
}

export function startLateKeys() {
  document.addEventListener("keydown", key, { capture: true });
  document.addEventListener("pointerdown", forget, { capture: true, passive: true });
}
