/** The dialogs Transfer request and Conference request: loaded when opened, searched, refreshed, and gone with their reason. */

import { words } from "./desk-words.js";
import { readDraft, writeDraft } from "./drafts.js";

const dialog = () => document.getElementById("asking");
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLocaleLowerCase();
let chosen = [];
const partings = new Map();

/** The note that is begun belongs to the conversation: it is there again when its dialog opens again. */
function draftName({ dataset: { asking, conversation } } = dialog()) {
  return `desk-${document.getElementById("desk").dataset.agent}-${asking}-note-${conversation}`;
}

/** Show the rows that have every word that is typed; what is not shown is not chosen. */
function search() {
  const box = dialog().querySelector("[data-choices-search]");
  const sought = plain(box.value).split(/\s+/).filter(Boolean);
  for (const list of dialog().querySelectorAll("[data-choices]")) {
    const rows = [...list.querySelectorAll(".choice")];
    for (const row of rows) {
      const text = plain(row.dataset.words);
      row.hidden = !sought.every((word) => text.includes(word));
      if (row.hidden) row.querySelector("input").checked = false;
    }
    list.querySelector("[data-none]").hidden = !rows.length || rows.some((row) => !row.hidden);
  }
}

function nameSearch() {
  const box = dialog().querySelector("[data-choices-search]");
  const kind = dialog().querySelector("[name='to']:checked")?.value ?? "agent";
  const name = box.dataset[kind];
  if (!name) return;
  box.placeholder = name;
  box.setAttribute("aria-label", name);
}

function open() {
  const asked = dialog();
  const shown = document.getElementById("conversation").dataset.conversation;
  if (asked.dataset.conversation !== shown) return asked.remove(); // somewhere else by now
  const box = asked.querySelector("[data-choices-search]");
  box.hidden = false;
  asked.querySelector("[name='note']").value = readDraft(draftName()).text;
  asked.showModal();
  box.focus();
}

/** A refreshed list keeps the choice, as long as it can still be chosen. */
function keepChoice() {
  for (const { name, value } of chosen) {
    const radio = dialog().querySelector(`[name="${name}"][value="${value}"]`);
    if (radio && !radio.disabled) radio.checked = true;
  }
  search();
}

/** What was refused is over with the next try, with another choice, and with the dialog. */
function clearRefusals() {
  for (const notice of document.querySelectorAll("#notices .notice.error")) notice.remove();
}

function closed() {
  const asked = dialog();
  const { conversation, asking } = asked.dataset;
  if (document.activeElement === document.body || asked.contains(document.activeElement)) {
    const place = document.getElementById(`${asking}-${conversation}`);
    (place && !place.disabled ? place : document.getElementById("conversation")).focus({ preventScroll: true });
  }
  clearRefusals();
}

/** The dialog has lost its reason when the conversation is another, has ended, or somebody has been asked already. */
export function closeWithoutReason() {
  const asked = dialog();
  if (!asked?.open) return;
  const button = document.getElementById(`${asked.dataset.asking}-${asked.dataset.conversation}`);
  // Disabled by htmx while the dialog loads is not disabled by the server.
  if (!button?.hasAttribute("hx-get")) asked.close();
}

/** What to say when the conversation leaves this desk by the agent's own doing, if it does; said once. */
export function partingWords(current) {
  const own = partings.get(current.id);
  partings.delete(current.id);
  if (own) return own;
  const { asked, askedName } = document.getElementById(`panel-${current.id}`)?.dataset ?? {};
  return asked === "transfer" ? words("takenOver", { agent: askedName, name: current.name }) : "";
}

function rememberParting(element) {
  const { conversation, name } = document.getElementById("conversation").dataset;
  if (element.matches("[data-leave]")) partings.set(conversation, words("left", { name }));
  if (element.id !== "asking-form" || element.elements.to?.value !== "queue") return;
  const queue = element.querySelector("[name='queue']:checked")?.closest(".choice").dataset.words;
  partings.set(dialog().dataset.conversation, words("toQueue", { name, queue }));
}

export function startAsking() {
  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.target?.id !== "asking-choices") return;
    chosen = [...detail.target.querySelectorAll("input:checked")].map(({ name, value }) => ({ name, value }));
  });
  document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target?.id === "dialog-place" && dialog()) open();
    if (detail.target?.id === "asking-choices") keepChoice();
  });
  // Before the answer: the socket may be faster.
  document.body.addEventListener("htmx:beforeRequest", ({ detail: { elt } }) => {
    if (elt.id === "asking-form") clearRefusals();
    rememberParting(elt);
  });
  document.body.addEventListener("htmx:afterRequest", ({ detail: { elt, xhr } }) => {
    if (elt.id !== "asking-form" && !elt.matches("[data-leave]")) return;
    if (xhr.status !== 204) return partings.clear();
    if (elt.id === "asking-form") writeDraft(draftName(elt.closest("dialog")), {});
    dialog()?.close();
  });
  document.addEventListener("input", ({ target }) => {
    if (target.matches("#asking input[type='radio']")) clearRefusals();
    if (target.matches("[data-choices-search]")) search();
    else if (target.matches("#asking-note")) writeDraft(draftName(), { text: target.value });
    else if (target.matches("#asking [name='to']")) nameSearch();
  });
  document.addEventListener("keydown", (event) => {
    // Enter in the search looks, it does not send.
    if (event.key === "Enter" && event.target.matches?.("[data-choices-search]")) event.preventDefault();
  });
  document.addEventListener("close", ({ target }) => target.id === "asking" && closed(), true);
}
