/**
 * The sounds of the desk, made by the page itself: a request rings until it is answered, a message is heard once.
 *
 * Browsers keep a page silent until the person clicked or typed in it; until then a hint on the page says so. Of
 * several desks of one agent only one rings.
 */

import { doOnce, hearTabs, holdAlone, tellTabs } from "./desk-tabs.js";

const RING_EVERY = 3_000;
const SOUNDS = {
  bell: { wave: "sine", loudness: 0.26, notes: [[659.25, 0, 0.6], [880, 0.18, 0.6]] },
  chime: { wave: "triangle", loudness: 0.3, notes: [[1046.5, 0, 0.5], [783.99, 0.22, 0.5], [1318.51, 0.44, 0.9]] },
  pulse: { wave: "square", loudness: 0.12, notes: [[523.25, 0, 0.14], [523.25, 0.22, 0.14], [523.25, 0.44, 0.14]] },
  message: { wave: "sine", loudness: 0.1, notes: [[987.77, 0, 0.25]] },
};

const settings = document.getElementById("desk").dataset;

let context = null;
let timer = 0;
let isWanted = false;
let letGo = null;

function hint() {
  return document.getElementById("sound-hint");
}

function tell(what, detail = {}) {
  document.dispatchEvent(new CustomEvent(`livedesk:${what}`, { detail }));
}

function unlock() {
  try {
    context ??= new AudioContext();
    context.resume().then(compete, () => {});
  } catch {
    context = null; // no sound on this machine: the page still shows everything
  }
}

export function canSound() {
  return "AudioContext" in window;
}

/** Play a sound once, at a volume of 0 to 100. */
export function play(name, volume = Number(settings.volume)) {
  if (context?.state !== "running" || !volume) return;
  const { wave, loudness, notes } = SOUNDS[name] ?? SOUNDS.bell;
  for (const [frequency, after, seconds] of notes) {
    const start = context.currentTime + after;
    const tone = context.createOscillator();
    const level = context.createGain();
    tone.type = wave;
    tone.frequency.value = frequency;
    level.gain.setValueAtTime(0, start);
    level.gain.linearRampToValueAtTime((loudness * volume) / 100, start + 0.02);
    level.gain.exponentialRampToValueAtTime(0.0005, start + seconds);
    tone.connect(level).connect(context.destination);
    tone.start(start);
    tone.stop(start + seconds + 0.05);
  }
}

function ring() {
  play(settings.sound);
  tell("ring", { sound: settings.sound, volume: Number(settings.volume) });
}

/**
 * Ring, if sound is allowed and no other desk of the agent rings; otherwise say that a click is needed.
 *
 * A desk that takes over from another goes on at its pace: the other has just rung, or the request has just been
 * answered there and this desk hears of it in a moment.
 */
function compete() {
  const isHeard = context?.state === "running";
  if (hint()) hint().hidden = !isWanted || isHeard;
  if (!isWanted || !isHeard || letGo) return;
  letGo = holdAlone("ring", (hasWaited) => {
    if (!hasWaited) ring();
    timer = setInterval(ring, RING_EVERY);
  });
}

/** Ring until told to stop; calling it while it rings changes nothing. */
export function startRinging() {
  if (isWanted) return;
  isWanted = true;
  compete();
}

export function stopRinging() {
  if (!isWanted) return;
  isWanted = false;
  clearInterval(timer);
  letGo?.();
  letGo = null;
  if (hint()) hint().hidden = true;
  tell("ring-stopped");
}

/** A soft sound for a message that the person does not see come. */
export function soundMessage(conversation) {
  if (settings.messageSound !== "on") return;
  doOnce("message-sound", () => {
    play("message");
    tell("message-sound", { conversation });
  });
}

/** From now on the desk sounds like this, in all its tabs. */
export function setSounds(chosen) {
  Object.assign(settings, chosen);
  tellTabs("sounds", chosen);
}

export function startSound() {
  for (const what of ["pointerdown", "keydown"]) document.addEventListener(what, unlock, { capture: true });
  hearTabs("sounds", (chosen) => Object.assign(settings, chosen));
}
