/**
 * The bell of a request: two soft notes, again and again until it is answered.
 *
 * Browsers keep a page silent until the person clicked or typed in it; until then a hint on the page says so.
 */

const RING_EVERY = 3_000;
const NOTES = [
  { frequency: 659.25, at: 0 },
  { frequency: 880, at: 0.18 },
];

let context = null;
let timer = 0;

function hint() {
  return document.getElementById("sound-hint");
}

function unlock() {
  try {
    context ??= new AudioContext();
    context.resume().then(() => {
      if (hint()) hint().hidden = true;
    }, () => {});
  } catch {
    context = null; // no sound on this machine: the page still shows everything
  }
}

function ring() {
  if (context?.state !== "running") {
    if (hint()) hint().hidden = false;
    return;
  }
  for (const { frequency, at } of NOTES) {
    const start = context.currentTime + at;
    const tone = context.createOscillator();
    const loudness = context.createGain();
    tone.frequency.value = frequency;
    loudness.gain.setValueAtTime(0, start);
    loudness.gain.linearRampToValueAtTime(0.18, start + 0.02);
    loudness.gain.exponentialRampToValueAtTime(0.001, start + 0.6);
    tone.connect(loudness).connect(context.destination);
    tone.start(start);
    tone.stop(start + 0.65);
  }
}

/** Ring until told to stop; calling it while it rings changes nothing. */
export function startRinging() {
  if (timer) return;
  ring();
  timer = setInterval(ring, RING_EVERY);
}

export function stopRinging() {
  clearInterval(timer);
  timer = 0;
  if (hint()) hint().hidden = true;
}

export function startSound() {
  for (const what of ["pointerdown", "keydown"]) document.addEventListener(what, unlock, { capture: true });
}
