/**
 * Dialogs of the desk, above all Closing reasons.
 *
 * Closing reasons opens by itself when its conversation reaches wrap-up or is opened in it. Closed without an answer it
 * stays closed until the panel's button is used, whatever the server sends meanwhile; what was filled in stays.
 */

import { enhanceSelect } from "./desk-search-select.js";

const dismissed = new Set();
let opener = "";
let focusAgain = "";

const closingDialog = () => document.querySelector("dialog[data-closing]");

/** The socket can be faster than the answer to Submit: the page has left the conversation then, and there is no target. */
function dropLateAnswer(event) {
  if (!event.currentTarget.isConnected) event.preventDefault();
}

function show(dialog) {
  if (!dialog || dialog.open) return;
  dialog.querySelector("form")?.addEventListener("htmx:beforeOnLoad", dropLateAnswer);
  dialog.querySelectorAll("select[data-search]").forEach(enhanceSelect);
  dialog.showModal();
  const place = dialog.querySelector("[aria-invalid='true']") ?? document.getElementById(focusAgain);
  (dialog.contains(place) ? place : dialog.querySelector("input, select, textarea"))?.focus();
  focusAgain = "";
}

/** Open the dialog of the conversation on the page, unless the agent put it aside. */
export function showClosing() {
  const dialog = closingDialog();
  if (dialog && !dismissed.has(dialog.id)) show(dialog);
}

/** The conversation was opened anew: its dialog may open again. */
export function forgetDismissals() {
  dismissed.clear();
}

/** Carry what is filled in, and where the person is, from the dialog that stands there to the one that takes its place. */
export function keepFilledIn(from, to) {
  for (const field of to.querySelectorAll("[name='note'], [name='reason']")) {
    const value = from.querySelector(`[name="${field.name}"]`)?.value;
    if (value) field.value = value;
  }
  focusAgain = from.contains(document.activeElement) ? document.activeElement.id : "";
}

function dismissedBy(dialog) {
  if (dialog.matches("[data-closing]")) dismissed.add(dialog.id);
  if (!dialog.isConnected) return;
  const back = document.getElementById(opener) ?? document.querySelector(`[data-closing-open="${dialog.id}"]`);
  back?.focus();
  opener = "";
}

export function startDialogs() {
  document.addEventListener("click", (event) => {
    const open = event.target.closest("[data-closing-open]");
    if (open) {
      const dialog = document.getElementById(open.dataset.closingOpen);
      opener = open.id;
      dismissed.delete(dialog.id);
      show(dialog);
    }
    event.target.closest("[data-dialog-close]")?.closest("dialog")?.close();
  });
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    // The socket can be faster than the answer to End, which then must neither take the dialog away from who uses it
    // nor bring back the one that was put aside.
    const dialog = closingDialog();
    const { target, serverResponse, requestConfig } = event.detail;
    if (!dialog || target.id !== "conversation" || !serverResponse.includes(`id="${dialog.id}"`)) return;
    const isAside = dismissed.has(dialog.id) && requestConfig.elt.matches("[data-shortcut='end']");
    if (dialog.open || isAside) event.detail.shouldSwap = false;
  });
  document.addEventListener("close", (event) => event.target.matches?.("dialog") && dismissedBy(event.target), true);
}
