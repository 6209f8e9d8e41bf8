/** The visitor's chat page: one thread, one compose box, one connection. */

import { startAttaching } from "./attach.js";
import { openComposer } from "./composer.js";
import { connect } from "./connection.js";
import { showConnection } from "./connection-banner.js";
import { draftName, readDraft } from "./drafts.js";
import { startEmoji } from "./emoji.js";
import { applyFragments } from "./fragments.js";
import { createReceipts, isInFront } from "./marks.js";
import { showNotice } from "./notices.js";
import { createOutbox } from "./outbox.js";
import { openThread } from "./thread.js";
import { setNow } from "./times.js";
import { createTyping } from "./typing.js";
import { followKeyboard } from "./viewport.js";

const SCOPE = "chat";
const page = document.getElementById("chat");
const conversation = page.dataset.conversation;
const title = document.title;
const words = document.getElementById("message-words").dataset;
const tell = (command) => connection?.send(command) ?? false;
let thread = null;
let connection = null;
let composer = null;
let composerForm; // of neither kind yet: a page of an ended chat is looked at too
let unseen = 0;
let isLeaving = false;

const outbox = createOutbox({
  scope: SCOPE,
  conversation,
  // The socket is of this conversation alone, so its frames need not name it.
  send: ({ conversation: _, ...command }) => tell(command),
  postUrl: () => page.dataset.post,
  onFrame: take,
  onChange: show,
  unknownSentence: words.unknown,
  waitSentence: words.waiting,
});
thread = openThread(page.querySelector("[data-thread]"), {
  outbox,
  conversation,
  onEdit: (text, entry) => composer?.putBack(text, entry),
});
outbox.left.forEach(show);

/**
 * A message on its way. One of an earlier chat shows once it is known that it did not arrive there: it can be read,
 * copied, or taken into the compose box, but not sent as it is.
 */
function show(entry) {
  if (entry.conversation === conversation) return thread?.showPending(entry);
  if (entry.state === "sending") return;
  thread.showPending({ ...entry, sentence: page.dataset.ofEarlier });
  const retry = document.querySelector(`#pending-${CSS.escape(entry.key)} [data-retry]`);
  if (retry) retry.hidden = true;
}

/** Whether the visitor has the end of the thread before his eyes. */
function isSeen() {
  return isInFront() && thread.isAtEnd;
}

const receipts = createReceipts({
  send: (what, number) => tell({ do: what, number }),
  last: () => thread.last,
  isSeen,
});

function take(frame) {
  if (isLeaving) return;
  switch (frame.is) {
    case "hello":
    case "pong":
      return setNow(frame.now);
    case "fragments":
      applyFragments(frame.html);
      startComposer();
      return announce();
    case "messages":
      return arrived(thread.append(frame.html, frame.last));
    case "marks":
      return thread.marked(frame);
    case "typing":
      return composer && thread.typing(frame.who);
    case "reload":
      return leave();
    case "posted":
    case "refused":
      if (frame.notice) showNotice(frame.notice, "info");
      if (!outbox.take(frame) && frame.is === "refused") showNotice(frame.sentence);
  }
}

/** Load the page anew; what is unsent and unfinished stays over it, so nothing that is said meanwhile may end it. */
function leave() {
  isLeaving = true;
  location.reload();
}

function arrived(items) {
  tellSeen();
  if (document.visibilityState === "visible") return;
  unseen += items.filter((item) => item.matches(".theirs")).length;
  if (unseen) document.title = `(${unseen}) ${title}`;
}

function tellSeen() {
  receipts.tell();
  if (document.visibilityState !== "visible") return;
  unseen = 0;
  document.title = title;
}

/** The compose box comes and goes with the conversation's state. */
function startComposer() {
  const form = document.querySelector("#composer form.composer");
  if (form === composerForm) return;
  const wasOpen = Boolean(composer);
  const unsent = composer?.text ?? readDraft(draftName(SCOPE, conversation)).text;
  composerForm = form;
  const onTyping = createTyping(() => tell({ do: "typing" }));
  const onSend = () => thread.toEnd();
  composer = form && openComposer(form, { outbox, conversation, scope: SCOPE, tools: [startAttaching, startEmoji], onSend, onTyping });
  if (form) return;
  thread.quiet();
  const place = showUnsent(unsent) ?? page.querySelector(".thread");
  // Whoever was writing when the box went away still has his fingers on the keys: nothing they hit may leave the page.
  if (wasOpen && document.activeElement === document.body) place.focus({ preventScroll: true });
}

/** The chat ended in the middle of a sentence: it can still be copied. Answers where it stands. */
function showUnsent(text) {
  const place = document.querySelector("#composer [data-unsent]");
  if (!place || !text.trim()) return null;
  const field = place.querySelector("textarea");
  field.value = text;
  place.hidden = false;
  return field;
}

/** Say a change of the status once; replaced elements are not announced by themselves. */
function announce() {
  const parts = [...document.querySelectorAll("#status [data-announce]")];
  const words = parts.map((part) => part.innerText.trim().replace(/\s*\n\s*/g, ". ")).join(". ");
  const announcer = document.getElementById("announcer");
  if (announcer.textContent !== words) announcer.textContent = words;
}

/** End chat asks once, without leaving the page. */
function startEnding() {
  const dialog = document.getElementById("end-dialog");
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-end]")) return;
    event.preventDefault();
    dialog.showModal();
  });
  dialog.querySelector("[data-stay]").addEventListener("click", () => dialog.close());
}

function openConnection() {
  return connect({
    socketUrl: () => `${page.dataset.socket}?conversation=${conversation}&last=${thread.last}&language=${document.documentElement.lang}`,
    pollUrl: () => `${page.dataset.poll}?conversation=${conversation}&last=${thread.last}&seen=${isSeen() ? thread.last : 0}`,
    onFrame: take,
    onStatus(status, detail) {
      if (isLeaving) return;
      // That the connection of an ended chat ends is no news.
      showConnection(status === "ended" && !composer ? "connected" : status, detail);
      outbox.setStatus(status);
      if (status !== "connected") return;
      receipts.again();
      tellSeen();
    },
  });
}

startComposer();
// Not on a phone, where the focus would raise the keyboard over what is to be read first.
if (matchMedia("(pointer: fine)").matches) composer?.focus();
startEnding();
followKeyboard();
document.addEventListener("visibilitychange", tellSeen);
window.addEventListener("focus", tellSeen);
page.querySelector(".thread").addEventListener("scroll", tellSeen, { passive: true });
// After the end nothing more comes; only what could not be sent before it still wants its answer.
if (composer || outbox.pending(conversation).length || outbox.left.length) connection = openConnection();
