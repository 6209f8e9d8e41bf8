/** Notifications of the system: asked for once, politely, and shown only while no desk of the agent is in front. */

import { isDeskInFront } from "./desk-tabs.js";
import { recall, remember } from "./storage.js";

const line = document.getElementById("notification-line");
const { agent } = document.getElementById("desk").dataset;
const ANSWERED = `livedesk.notifications.${agent}`;
const shown = new Map();

function offerPermission() {
  line.hidden = !("Notification" in window) || Notification.permission !== "default" || recall(ANSWERED) !== null;
}

async function answer(choice) {
  remember(ANSWERED, { at: Date.now(), choice });
  line.hidden = true;
  document.getElementById("conversation").focus({ preventScroll: true });
  if (choice === "on") await Notification.requestPermission();
}

/** Bring a request before the eyes: the window, then its Accept. */
function bring(id) {
  window.focus();
  const offer = document.getElementById(id);
  offer?.scrollIntoView({ block: "nearest" });
  offer?.querySelector("[data-accept]").focus();
}

/** Tell of a request outside the page, unless the person looks at a desk. */
export async function notify(offer, sentence) {
  const { id } = offer;
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  if (await isDeskInFront()) return;
  if (!document.getElementById(id)) return; // answered meanwhile
  try {
    const body = offer.querySelector(".offer-thread p:last-child")?.textContent ?? "";
    const notification = new Notification(sentence, { body, tag: id });
    shown.set(id, notification);
    notification.addEventListener("click", () => {
      notification.close();
      bring(id);
    });
    document.dispatchEvent(new CustomEvent("livedesk:notification", { detail: { offer: id, sentence } }));
  } catch {
    // Some phones allow notifications to service workers only.
  }
}

/** Take away the notifications of requests that are over. */
export function closeNotifications(standing) {
  for (const [id, notification] of shown) {
    if (standing.has(id)) continue;
    notification.close();
    shown.delete(id);
  }
}

export function startNotifications() {
  offerPermission();
  line.addEventListener("click", (event) => {
    const choice = event.target.closest("[data-notifications]")?.dataset.notifications;
    if (choice) answer(choice);
  });
}
