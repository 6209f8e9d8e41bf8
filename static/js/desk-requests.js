/** Requests (and other countdowns): their rings run down, they sound, stand in the page's title, are read out, and reach the person elsewhere. */

import { closeNotifications, notify, startNotifications } from "./desk-notifications.js";
import { startRinging, stopRinging } from "./desk-sound.js";
import { hearTabs, isInFront, standInFront, tellTabs } from "./desk-tabs.js";
import { unreadMessages } from "./desk-unread.js";
import { say, words } from "./desk-words.js";
import { now } from "./times.js";

const LATE = 5;
const SENTENCES = { request: "newRequest", transfer: "newTransfer", conference: "newConference" };

const answered = new Set();
let known = null;

/** What there is room for in the ring: seconds, and minutes when they are many. */
const shown = (seconds) => (seconds < 1000 ? seconds : `${Math.ceil(seconds / 60)}′`);

function tick() {
  for (const ring of document.querySelectorAll(".ring[data-until]")) {
    const until = Date.parse(ring.dataset.until);
    const whole = Math.max(1, until - Date.parse(ring.dataset.since));
    const left = Math.max(0, until - now());
    const seconds = Math.ceil(left / 1000);
    ring.style.setProperty("--left", Math.min(1, left / whole));
    ring.classList.toggle("late", seconds <= LATE);
    ring.querySelector("[data-seconds]").textContent = shown(seconds);
    const { one, words: many } = ring.dataset;
    ring.setAttribute("aria-label", seconds === 1 ? one : many.replace("{seconds}", seconds));
  }
  for (const time of document.querySelectorAll("time[data-late]")) {
    time.classList.toggle("late", Date.parse(time.dateTime) - now() < time.dataset.late * 1000);
  }
}

function announce(offer) {
  const { customer: name, queue, from, kind } = offer.dataset;
  const sentence = words(SENTENCES[kind] ?? SENTENCES.request, { name, queue, from });
  say(sentence);
  notify(offer, sentence);
}

/** Look at the requests and messages that stand on the page now: what is new is told, what is over falls silent. */
export function lookAtRequests() {
  const open = document.getElementById("conversation")?.dataset.conversation ?? "";
  standInFront(open);
  const offers = [...document.querySelectorAll("[data-offer]")];
  const count = Number(document.getElementById("requests")?.dataset.count) || 0;
  const fresh = offers.filter((offer) => !known?.has(offer.id));
  if (known) fresh.forEach((offer) => offer.classList.add("arriving"));
  fresh.forEach(announce);
  known = new Set(offers.map((offer) => offer.id));
  closeNotifications(known);
  const over = offers.filter((offer) => answered.has(offer.id)).length;
  if (count > over) startRinging();
  else stopRinging();
  showTitle(count + unreadMessages(isInFront() ? open : ""));
  tick();
}

/** "(2) Ana Pereira · Livedesk": what waits, and what is open. */
function showTitle(count) {
  const name = document.getElementById("conversation")?.dataset.name;
  const title = name ? `${name} · Livedesk` : "Livedesk";
  document.title = count ? `(${count}) ${title}` : title;
}

/** On a narrow screen a request is a bar; its button shows the rest of it. */
function startShowing() {
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-offer-more]");
    button?.setAttribute("aria-expanded", button.getAttribute("aria-expanded") !== "true");
  });
}

/** What is shown of the requests stays shown when they are drawn anew. */
export function keepShown(target, fragment) {
  for (const { id } of target.querySelectorAll("[data-offer-more][aria-expanded='true']")) {
    fragment.querySelector(`#${CSS.escape(id)}`)?.setAttribute("aria-expanded", "true");
  }
}

/** Answered in one tab, it rings in none: the others need not wait for their own connection to say so. */
function startAnswering() {
  const silence = (id) => {
    answered.add(id);
    lookAtRequests();
  };
  hearTabs("answered", silence);
  document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
    const offer = detail.elt.closest?.("[data-offer]")?.id ?? detail.elt.dataset?.answers;
    if (!offer || detail.xhr.status >= 300) return;
    silence(offer); // first here, or this desk would ring on when another lets go of the bell
    tellTabs("answered", offer);
  });
}

export function startRequests() {
  startNotifications();
  startAnswering();
  startShowing();
  lookAtRequests();
  setInterval(tick, 1000);
  for (const what of ["focus", "blur"]) window.addEventListener(what, lookAtRequests);
  document.addEventListener("visibilitychange", lookAtRequests);
}
