/**
 * Earlier conversations, and the pages My conversations and My day, which stand where the conversation else stands: the
 * desk around them stays alive, so a request rings there too.
 *
 * A transcript opens beside the talk where there is room, in the place of the customer's details, and as a dialog where
 * there is none. It closes when another conversation or page is opened. The zone in which the server counts days is the
 * browser's, told in a cookie.
 */

import { say } from "./desk-words.js";
import { openThread } from "./thread.js";
import { showTimes } from "./times.js";

const BESIDE = window.matchMedia("(min-width: 80rem)");
const YEAR = 31_536_000;

const desk = document.getElementById("desk");
const dialog = document.getElementById("transcript");
let opener = "";
let openedAt = "";
let asked = null;
let thread = null;

/** What stands in the middle of the desk: a conversation, one of the pages, or nothing. */
function place() {
  const { page, conversation } = document.getElementById("conversation").dataset;
  return page ?? `conversation ${conversation}`;
}

function show() {
  if (BESIDE.matches) dialog.show();
  else dialog.showModal();
}

function openTranscript(asker) {
  opener = asker?.id ?? "";
  openedAt = place();
  if (!dialog.open) show();
  thread?.close();
  const list = dialog.querySelector("[data-transcript]");
  thread = list && openThread(list, {});
  // A short one is read from its beginning, a long one from where it ended.
  if (list && !list.querySelector(".earlier")) list.closest(".thread").scrollTop = 0;
  showTimes(dialog);
  document.getElementById("transcript-title")?.focus({ preventScroll: true });
}

function ask({ detail: { target, xhr } }) {
  if (target.id === "transcript-body") asked = { xhr, from: place() };
}

/** Only the transcript that was asked for last opens, and not where the agent has gone to since. */
function refuseLate({ detail }) {
  if (detail.target?.id !== "transcript-body") return;
  if (detail.xhr !== asked?.xhr || place() !== asked.from) detail.shouldSwap = false;
}

function closed() {
  if (dialog.open) return; // it only changed sides
  thread?.close();
  thread = null;
  document.getElementById("transcript-body").replaceChildren();
  document.getElementById(opener)?.focus();
  opener = "";
}

function markPage() {
  const page = document.getElementById("conversation")?.dataset.page ?? "desk";
  for (const link of document.querySelectorAll("[data-nav]")) {
    if (link.dataset.nav === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** Another conversation or page stands there now. */
function moved() {
  markPage();
  if (dialog.open && place() !== openedAt) {
    opener = "";
    dialog.close();
  }
}

function swapped({ detail: { target, requestConfig } }) {
  if (target?.id === "transcript-body") openTranscript(requestConfig?.elt);
  const said = target?.id === "found" ? document.querySelector("#found [data-said], #found [role=alert]") : null;
  if (said) say(said.textContent);
  if (requestConfig?.elt.closest?.(".past-more")) showMore();
}

/** The rows came in the place of the link that asked for them: go on with the first of them. */
function showMore() {
  showTimes(document.getElementById("customer"));
  const rows = [...document.querySelectorAll(".past a[id]")];
  rows[shownBefore]?.focus();
}

let shownBefore = 0;
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.elt.closest?.(".past-more") || event.detail.target?.closest?.(".past")) {
    shownBefore = document.querySelectorAll(".past a[id]").length;
  }
});
document.addEventListener("htmx:beforeRequest", ask);
document.addEventListener("htmx:beforeSwap", refuseLate);
document.addEventListener("htmx:afterSwap", swapped);
dialog.addEventListener("close", closed);
dialog.addEventListener("keydown", (event) => event.key === "Escape" && dialog.close());
BESIDE.addEventListener("change", () => {
  if (!dialog.open) return;
  dialog.close();
  show();
});
new MutationObserver(moved).observe(desk, { childList: true });
markPage();

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) document.cookie = `livedesk_zone=${zone}; path=/desk/; max-age=${YEAR}; SameSite=Lax`;
