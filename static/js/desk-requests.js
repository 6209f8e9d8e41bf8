/** Requests (and other countdowns): their rings run down, they sound, stand in the page's title, are read out, and reach the person elsewhere. */

import { say, words } from "./desk-words.js";
import { startRinging, stopRinging } from "./desk-sound.js";
import { now } from "./times.js";

const LATE = 5;

let known = null;

function tick() {
  for (const ring of document.querySelectorAll(".ring[data-until]")) {
    const until = Date.parse(ring.dataset.until);
    const whole = Math.max(1, until - Date.parse(ring.dataset.since));
    const left = Math.max(0, until - now());
    const seconds = Math.ceil(left / 1000);
    ring.style.setProperty("--left", Math.min(1, left / whole));
    ring.classList.toggle("late", seconds <= LATE);
    ring.querySelector("[data-seconds]").textContent = seconds;
    ring.setAttribute("aria-label", ring.dataset.words.replace("{seconds}", seconds));
  }
  for (const time of document.querySelectorAll("time[data-late]")) {
    time.classList.toggle("late", Date.parse(time.dateTime) - now() < time.dataset.late * 1000);
  }
}

function announce(offer) {
  const sentence = words("newRequest", { name: offer.dataset.customer, queue: offer.dataset.queue });
  say(sentence);
  if (document.visibilityState === "visible" && document.hasFocus()) return;
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  try {
    const notification = new Notification(sentence, { tag: offer.id });
    notification.addEventListener("click", () => window.focus());
  } catch {
    // Some phones allow notifications to service workers only.
  }
}

/** Look at the requests that stand on the page now: what is new is told, what is over falls silent. */
export function lookAtRequests() {
  const offers = [...document.querySelectorAll("[data-offer]")];
  const count = Number(document.getElementById("requests")?.dataset.count) || 0;
  const fresh = offers.filter((offer) => !known?.has(offer.id));
  if (known) fresh.forEach((offer) => offer.classList.add("arriving"));
  fresh.forEach(announce);
  known = new Set(offers.map((offer) => offer.id));
  if (count) startRinging();
  else stopRinging();
  showTitle(count);
  tick();
}

/** "(2) Ana Pereira · Livedesk": what waits, and what is open. */
function showTitle(count) {
  const name = document.getElementById("conversation")?.dataset.name;
  const title = name ? `${name} · Livedesk` : "Livedesk";
  document.title = count ? `(${count}) ${title}` : title;
}

export function startRequests() {
  lookAtRequests();
  setInterval(tick, 1000);
}
