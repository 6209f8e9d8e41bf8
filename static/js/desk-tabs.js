/**
 * The agent's desks in one browser: one of them rings, and each knows what is in front of the person.
 *
 * Browsers offer the locks for that on https and on this machine only; elsewhere each desk acts as if it were alone.
 */

const { agent } = document.getElementById("desk").dataset;
const FRONT = `livedesk-front-${agent}-`;
const locks = navigator.locks ?? null;
const channel = "BroadcastChannel" in window ? new BroadcastChannel(`livedesk-desk-${agent}`) : null;
const hearers = new Map();

let inFront = null;
let leaveFront = () => {};

channel?.addEventListener("message", ({ data }) => hearers.get(data.what)?.(data.value));

export function tellTabs(what, value) {
  channel?.postMessage({ what, value });
}

export function hearTabs(what, hearer) {
  hearers.set(what, hearer);
}

export function isInFront() {
  return document.visibilityState === "visible" && document.hasFocus();
}

/** Call `onHeld` when this desk is the one to do something, with whether it had to wait; answers how to let go of it. */
export function holdAlone(what, onHeld) {
  return hold(`livedesk-${what}-${agent}`, "exclusive", onHeld);
}

/** Do it unless another desk is doing the same at this moment. */
export function doOnce(what, act) {
  if (!locks) return act();
  const name = `livedesk-${what}-${agent}`;
  return locks.request(name, { ifAvailable: true }, (lock) => lock && (act(), new Promise((done) => setTimeout(done, 1_500))));
}

/** Tell the other desks whether this one is in front, and with which conversation. */
export function standInFront(conversation) {
  const name = isInFront() ? FRONT + conversation : null;
  if (name === inFront) return;
  leaveFront();
  inFront = name;
  leaveFront = name ? hold(name, "shared", () => {}) : () => {};
}

/** Whether a desk of the agent is in front; with a number, whether that conversation is. */
export async function isDeskInFront(conversation = null) {
  if (isInFront() && conversation === null) return true;
  if (!locks) return false;
  const { held } = await locks.query();
  return held.some(({ name }) => (conversation === null ? name.startsWith(FRONT) : name === FRONT + conversation));
}

function hold(name, mode, onHeld) {
  if (!locks) {
    onHeld(false);
    return () => {};
  }
  const wait = new AbortController();
  let release;
  const released = new Promise((done) => (release = done));
  const begin = (hasWaited) => {
    if (!wait.signal.aborted) onHeld(hasWaited);
    return released;
  };
  const queueUp = () => locks.request(name, { mode, signal: wait.signal }, () => begin(true));
  locks
    .request(name, { mode, ifAvailable: true }, (lock) => (lock ? begin(false) : "taken"))
    .then((answer) => answer === "taken" && queueUp())
    .catch(() => {}); // given up before it was free
  return () => {
    wait.abort();
    release();
  };
}
