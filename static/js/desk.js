/** The desk: one connection for everything the agent has, the open conversation, and what arrives for both. */

import { connect } from "./connection.js";
import { showConnection } from "./connection-banner.js";
import { closeWithoutReason, startAsking } from "./desk-asking.js";
import { forgetDismissals, showClosing, startDialogs } from "./desk-closing.js";
import { keepWhatIsInUse } from "./desk-keep.js";
import { startLateKeys } from "./desk-late-keys.js";
import { startLayers } from "./desk-layers.js";
import { startMenu } from "./desk-menu.js";
import { clearOtherCustomer, leaveWhatIsGone, markOpen, startNavigation } from "./desk-navigation.js";
import { openConversation } from "./desk-conversation.js";
import { lookAtRequests, startRequests } from "./desk-requests.js";
import { answerEarlyPresses, startPresses } from "./desk-press.js";
import { startShortcuts } from "./desk-shortcuts.js";
import { startSound } from "./desk-sound.js";
import { startSoundChoice } from "./desk-sound-choice.js";
import { applyFragments } from "./fragments.js";
import { showNotice } from "./notices.js";
import { createOutbox } from "./outbox.js";
import { setNow, showTimes } from "./times.js";
import { tellFailed, tellLeftFailed } from "./desk-unsent.js";
import { words } from "./desk-words.js";
import { showTypingInTask } from "./typing.js";

const desk = document.getElementById("desk");
const scope = `desk-${desk.dataset.agent}`;
const send = (command) => connection?.send(command) ?? false;
let connection = null;
let current = null;
let told = null; // what the server knows to be open

const takers = {
  hello: (frame) => setNow(frame.now),
  pong: (frame) => setNow(frame.now),
  fragments: (frame) => applyFragments(frame.html),
  messages: (frame) => current.take(frame),
  marks: (frame) => current.marked(frame),
  gone: (frame) => gone(frame),
  typing: (frame) => current.typing(frame) || showTypingInTask(String(frame.conversation)),
  notice: (frame) => showNotice(frame.sentence, "info"),
  posted: (frame) => posted(frame),
  reload: () => location.reload(), // what is unsent and unfinished stays over it
  refused: (frame) => outbox.take(frame) || showNotice(frame.sentence),
};
const onFrame = (frame) => takers[frame.is]?.(frame);

const outbox = createOutbox({
  scope,
  send,
  postUrl: (conversation) => desk.dataset.post.replace("/0/", `/${conversation}/`),
  onFrame,
  onChange: changed,
  unknownSentence: document.getElementById("message-words").dataset.unknown,
  waitSentence: document.getElementById("message-words").dataset.waiting,
});

/** A message on its way is a step further: its thread shows that, and a refusal shows without its thread too. */
function changed(entry) {
  if (entry.conversation === current?.id) current.showPending(entry);
  else if (entry.state === "failed") tellFailed(entry, outbox);
}

/** The open conversation is not the agent's, whether or not its row ever came here. */
function gone({ conversation }) {
  if (String(conversation) !== current.id) return;
  current.mayBeOnItsWay = false;
  settled();
}

/** A message is stored; its sender is told when it is not stored as it was written. */
function posted(frame) {
  outbox.take(frame);
  if (frame.notice) showNotice(frame.notice, "info");
}

/** The server brings the lines and the details of the conversation that it knows to be open. */
function tellOpen() {
  const command = { do: "open", conversation: current.id ? Number(current.id) : null, last: current.last };
  if (told !== current && send(command)) told = current;
}

/** A socket is told what is open by its address; what is opened while it shakes hands it must be told later. */
function socketUrl() {
  told = current;
  return addressWith(desk.dataset.socket);
}

/** With what is open and how far it is shown, so that the server catches up from there. */
function addressWith(path, more = {}) {
  return `${path}?${new URLSearchParams({ open: current.id, last: current.last, ...more })}`;
}

function showStatus(status, detail) {
  showConnection(status, detail);
  const chip = document.getElementById("connection-chip");
  chip.dataset.status = status;
  for (const part of chip.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== status;
  outbox.setStatus(status);
  if (status === "connected") {
    tellOpen();
    current.reconnected();
  }
  current.seen();
}

/** The page changed: follow it to the conversation that stands there now, and tell the server which one is open. */
function settled() {
  const element = document.getElementById("conversation");
  if (element !== current?.element) {
    current?.close();
    current = openConversation(element, { outbox, send, scope });
    forgetDismissals();
    clearOtherCustomer(current);
    tellOpen(); // opened anew, too: it was drawn from what the server knew then, and the socket may have brought more
  }
  current.settle();
  if (leaveWhatIsGone(current)) {
    tellLeftFailed(outbox); // its thread showed them
    return settled();
  }
  closeWithoutReason();
  markOpen(current);
  showClosing();
  lookAtRequests();
  current.seen();
}

// At once: for a moment a new compose box would otherwise stand there that does not know what Enter means.
window.htmx.config.defaultSettleDelay = 0;
keepWhatIsInUse();
startLayers();
startSound();
startSoundChoice();
startAsking();
startLateKeys();
startShortcuts();
startMenu();
startPresses();
startDialogs();
startNavigation(() => {
  showTimes();
  settled();
});
settled();
tellLeftFailed(outbox);
startRequests();
connection = connect({
  socketUrl,
  pollUrl: () => addressWith(desk.dataset.poll, { seen: current.isSeen ? current.last : 0 }),
  onFrame,
  onStatus: showStatus,
});

document.body.addEventListener("htmx:afterSettle", (event) => {
  showTimes();
  settled();
  const isAsked = event.detail.requestConfig && event.target.id === "conversation";
  if (isAsked) current.focus();
});
window.addEventListener("focus", () => current.seen());
document.addEventListener("visibilitychange", () => current.seen());
for (const failure of ["htmx:sendError", "htmx:responseError"]) {
  document.body.addEventListener(failure, ({ detail: { xhr } }) => {
    if (!xhr?.getResponseHeader("Livedesk-Notice")) showNotice(words("noAnswer")); // else the answer says it itself
  });
}
// Once htmx has found the buttons that are its own.
document.addEventListener("DOMContentLoaded", () => setTimeout(answerEarlyPresses));
