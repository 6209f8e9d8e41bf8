/**
 * Keyboard shortcuts and their sheet.
 *
 * Single keys act outside text fields only, and can be switched off; with Alt (on a Mac Control and Option) they act
 * while one writes too. None acts in a dialog, a menu or the emoji picker.
 */

import { isMenuOpen } from "./desk-menu.js";
import { recall, remember } from "./storage.js";

const STORED = "livedesk.single-keys";
const IS_MAC = /Mac|iP(hone|ad)/.test(navigator.platform);
const TYPING = "textarea, select, [contenteditable], [role=combobox], [role=listbox], input:not([type=checkbox], [type=radio], [type=range])";
const sheet = document.getElementById("shortcuts");

const press = (selector) => document.querySelector(selector)?.click();

function go(step) {
  const rows = [...document.querySelectorAll("a.task")];
  const place = rows.findIndex((row) => row.hasAttribute("aria-current"));
  const next = place < 0 ? (step > 0 ? 0 : -1) : (place + step) % rows.length;
  rows.at(next)?.click();
}

const acts = {
  a: () => press("#requests [data-accept]"),
  j: () => go(1),
  k: () => go(-1),
  t: () => press("[data-shortcut='transfer']"),
  c: () => press("[data-shortcut='conference']"),
  e: () => press("[data-shortcut='end']"),
  r: () => document.querySelector("[data-composer] textarea")?.focus(),
  n: () => press("[data-composer] [data-note]"),
  p: () => press("[data-composer] [data-templates]"),
  b: () => press("#state-available"),
  "?": () => sheet.showModal(),
};

const isSingleAllowed = () => recall(STORED) !== false;

function actOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : "";
  // Alt may make another character of a key; in a text field that character is meant.
  const letter = /^Key([A-Z])$/.exec(event.code)?.[1].toLowerCase();
  // The focus may still be in a field of a dialog that has just closed.
  const isTyping = (event.target.matches?.(TYPING) ?? false) && event.target.checkVisibility();
  const hasModifier = event.altKey && !event.metaKey && event.ctrlKey === IS_MAC && !event.getModifierState("AltGraph");
  if (hasModifier) return acts[key] ?? (isTyping && !IS_MAC ? undefined : acts[letter]);
  if (event.altKey || event.ctrlKey || event.metaKey || isTyping || !isSingleAllowed()) return undefined;
  return acts[key];
}

function isElsewhere(event) {
  const isInPicker = event.composedPath().some((element) => element.localName === "emoji-picker");
  return isInPicker || isMenuOpen() || document.querySelector("dialog[open]") !== null;
}

function key(event) {
  if (event.defaultPrevented || event.repeat || event.isComposing || isElsewhere(event)) return;
  const act = actOf(event);
  if (!act) return;
  event.preventDefault();
  act();
}

export function startShortcuts() {
  const box = sheet.querySelector("[data-single-keys]");
  box.checked = isSingleAllowed();
  box.addEventListener("change", () => remember(STORED, box.checked));
  for (const sentence of sheet.querySelectorAll("[data-modifier]")) sentence.hidden = (sentence.dataset.modifier === "mac") !== IS_MAC;
  document.addEventListener("keydown", key);
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog-open]");
    if (opener) document.getElementById(opener.dataset.dialogOpen).showModal();
  });
}
