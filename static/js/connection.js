/**
 * One live connection to the portal: a socket that comes back by itself, and polling where no socket can be opened.
 *
 * connect({socketUrl(), pollUrl(), onFrame(frame), onStatus(status, detail)}) -> {send(command), status, retryNow(), close()}
 *
 * Statuses: "connecting" (first try), "connected", "lost" (detail.seconds to the next try), "polling", and "ended"
 * (detail.code; the server said that there is no coming back). `send` answers false when nothing was sent. A socket
 * may die with a frame in it, so whoever must be sure keeps what it sent until the server answered (outbox.js).
 *
 * The addresses are asked for at every try: they carry the last number seen, from which the server catches up.
 */

const FINAL_CODES = new Set([4401, 4403, 4404]);
const PING_EVERY = 25_000;
const PONG_WITHIN = 10_000;
const ANSWER_WITHIN = 15_000;
const POLL_EVERY = 3_000;
const SOCKET_AGAIN_EVERY = 30_000;
const TRIES_BEFORE_POLLING = 3;
const SHORTEST_PAUSE = 500;
const LONGEST_PAUSE = 30_000;
const GROWTH = 1.6; // doubling would leave a page away for long after a restart of half a minute

/** Growing, and jittered from the first on, so that a thousand pages do not come back at the same moment. */
function pauseAfter(failures) {
  const longest = Math.min(LONGEST_PAUSE, 2 * SHORTEST_PAUSE * GROWTH ** failures);
  return longest * (0.5 + Math.random() / 2);
}

class Connection {
  #options;
  #socket = null;
  #status = "connecting";
  #failures = 0;
  #timers = new Map();
  #isPollUnderWay = false;
  #hasBeenOpen = false;
  #isWaitingToOpen = false;

  constructor(options) {
    this.#options = options;
    window.addEventListener("online", () => this.retryNow());
    window.addEventListener("offline", () => this.#socket && this.#fail());
    window.addEventListener("pageshow", (event) => event.persisted && this.retryNow());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.retryNow());
    this.#open();
  }

  get status() {
    return this.#status;
  }

  /** Send a command now; false when there is no open connection. */
  send(command) {
    if (this.#status !== "connected" || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(command));
    return true;
  }

  /** Try again at once; an open connection is asked for a sign of life instead. */
  retryNow() {
    if (this.#status === "ended") return;
    if (this.#status === "connected") this.#ping();
    else this.#open();
  }

  close() {
    this.#end(1000);
  }

  #say(status, detail = {}) {
    this.#status = status;
    this.#options.onStatus(status, detail);
  }

  #after(name, pause, action) {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(action, pause));
  }

  #forget(...names) {
    for (const name of names) clearTimeout(this.#timers.get(name));
  }

  #open() {
    this.#isWaitingToOpen = false; // also while one still hangs: this pause is over, and the next poll sets another
    if (this.#socket || this.#status === "ended") return; // never two at once
    this.#forget("retry");
    const address = new URL(this.#options.socketUrl(), location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (this.#hasBeenOpen) address.searchParams.set("back", "1"); // the server counts who comes back
    let socket;
    try {
      socket = new WebSocket(address);
    } catch {
      return this.#fail();
    }
    this.#socket = socket;
    socket.onmessage = (event) => socket === this.#socket && this.#take(event.data);
    socket.onclose = (event) => socket === this.#socket && this.#fail(event.code);
    this.#after("open", ANSWER_WITHIN, () => this.#fail());
  }

  #take(text) {
    // The first frame, not the open socket, is the proof that the portal answers.
    if (this.#status !== "connected") {
      this.#failures = 0;
      this.#hasBeenOpen = true;
      this.#forget("open", "poll");
      this.#say("connected");
      this.#after("ping", PING_EVERY, () => this.#ping());
    }
    this.#forget("pong");
    this.#deliver(JSON.parse(text));
  }

  #deliver(frame) {
    try {
      this.#options.onFrame(frame);
    } catch (problem) {
      console.error(problem); // one frame that cannot be shown must not stop those after it
    }
  }

  #ping() {
    if (!this.send({ do: "ping" })) return;
    this.#after("pong", PONG_WITHIN, () => this.#fail());
    this.#after("ping", PING_EVERY, () => this.#ping());
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#forget("ping", "pong", "open");
    socket?.close();
  }

  #fail(code = 0) {
    this.#drop();
    if (FINAL_CODES.has(code)) return this.#end(code);
    this.#failures += 1;
    if (this.#failures >= TRIES_BEFORE_POLLING) return this.#poll();
    this.#tryAgainLater();
  }

  #tryAgainLater() {
    const pause = pauseAfter(this.#failures - 1);
    this.#after("retry", pause, () => this.#open());
    this.#say("lost", { seconds: Math.ceil(pause / 1000) });
  }

  #end(code) {
    this.#drop();
    this.#forget("retry", "poll");
    this.#say("ended", { code });
  }

  async #poll() {
    if (this.#isPollUnderWay) return;
    this.#isPollUnderWay = true;
    this.#forget("poll");
    let frames = null;
    let code = 0;
    try {
      const response = await fetch(this.#options.pollUrl(), {
        headers: { Accept: "application/json" },
        signal: AbortSignal.timeout(ANSWER_WITHIN), // a dead network lets it hang for minutes
      });
      const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
      if ([401, 403, 404].includes(response.status)) code = 4000 + response.status;
      else if (response.redirected && !isJson) code = 4401; // sent to the sign-in page
      else if (response.ok && isJson) frames = (await response.json()).frames;
    } catch {
      frames = null; // no network: the same as no answer
    }
    this.#isPollUnderWay = false;
    if (this.#status === "connected" || this.#status === "ended") return;
    if (code) return this.#end(code);
    this.#polled(frames);
  }

  #polled(frames) {
    // Nothing answers at all: that is a lost server, not a proxy that forbids sockets.
    if (!frames) return this.#tryAgainLater();
    if (this.#status !== "polling") this.#say("polling");
    frames.forEach((frame) => this.#deliver(frame));
    this.#after("poll", POLL_EVERY, () => this.#poll());
    if (this.#isWaitingToOpen) return;
    // Where a socket was once open another will be soon; where none ever was, a proxy is in the way.
    this.#isWaitingToOpen = true;
    this.#after("retry", this.#hasBeenOpen ? pauseAfter(this.#failures - 1) : SOCKET_AGAIN_EVERY, () => this.#open());
  }
}

export function connect(options) {
  return new Connection(options);
}
