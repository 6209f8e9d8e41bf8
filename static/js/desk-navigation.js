/** Going from conversation to conversation without leaving the page: links, back and forward, and what is gone. */

import { partingWords } from "./desk-asking.js";
import { boxWent } from "./desk-late-keys.js";
import { bringHome } from "./desk-layers.js";
import { tellUnsent } from "./desk-unsent.js";
import { say, words } from "./desk-words.js";
import { dropNoticesAbout, showNotice } from "./notices.js";

const desk = document.getElementById("desk");
const visits = new WeakMap();
let visit = 0;
let latest = null;
let finishing = "";

function put(id, element) {
  const place = document.getElementById(id);
  bringHome(place);
  place.replaceWith(element);
  window.htmx.process(element);
}

function empty(id) {
  put(id, document.getElementById(`no-${id}`).content.firstElementChild.cloneNode(true));
}

/** Show that nothing is open. */
function showNothing() {
  empty("conversation");
  empty("customer");
}

/** Never leave one customer's details beside another's conversation; the right ones are on their way. */
export function clearOtherCustomer(current) {
  if (document.getElementById("customer").dataset.conversation !== current.id) empty("customer");
}

/** Whoever goes somewhere else from here is there, however late another answer comes: each going has its number. */
function going({ detail: { elt, target, xhr } }) {
  if (!["conversation", "found"].includes(target.id)) return;
  target.addEventListener("htmx:beforeSwap", arriving); // not on the body: by then the target may be out of the page
  if (target.id === "found" || elt.matches("[data-shortcut='end']")) return; // goes nowhere
  visits.set(xhr, ++visit);
  latest = xhr;
}

const isGoing = () => latest !== null && ![XMLHttpRequest.UNSENT, XMLHttpRequest.DONE].includes(latest.readyState);

/** Show what was asked for last, wherever the middle of the desk is by now, and nothing else: neither it nor its address. */
function arriving({ detail }) {
  const isLate = visits.has(detail.xhr) ? visits.get(detail.xhr) !== visit : !detail.target.isConnected;
  if (isLate) detail.shouldSwap = false;
  else if (isSignIn(detail.xhr.responseURL)) toSignIn(detail);
  else if (!detail.target.isConnected) {
    detail.target = document.getElementById("conversation");
    bringHome(detail.target);
  }
}

function isSignIn(address) {
  return new URL(address || location.href).pathname === desk.dataset.signIn;
}

/** Signed out meanwhile. */
function toSignIn(detail) {
  detail.shouldSwap = false;
  location.assign(desk.dataset.home);
}

/** Read the whole page of a place and take the conversation and its customer from it. */
async function show(path, onShown) {
  const mine = ++visit;
  if (path === desk.dataset.home) {
    showNothing();
    return onShown();
  }
  let page;
  try {
    page = await read(path);
  } catch {
    return mine === visit && showNotice(words("noAnswer"));
  }
  if (mine !== visit || page === undefined) return; // somewhere else by now
  if (page) {
    for (const id of ["conversation", "customer"]) put(id, document.adoptNode(page.getElementById(id)));
  } else {
    showNothing();
    history.replaceState({ htmx: true }, "", desk.dataset.home);
    showNotice(words("notThere"));
  }
  onShown();
}

/**
 * The page, or null when there is no such place for the agent; that no answer came says nothing about the place. Whoever
 * was signed out meanwhile goes to the sign-in page, and nothing is answered.
 */
async function read(path) {
  const response = await fetch(path);
  if (isSignIn(response.url)) return location.assign(desk.dataset.home);
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`status ${response.status}`);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  return page.getElementById("conversation") && page.getElementById("customer") ? page : null;
}

/** Say so, and show the empty desk, when the open conversation is no longer among the agent's tasks. */
export function leaveWhatIsGone(current) {
  if (!current.id) return false;
  if (document.getElementById(`task-${current.id}`)) {
    current.mayBeOnItsWay = false;
    dropNoticesAbout(current.id); // it was lost, and has come back
    return false;
  }
  if (current.mayBeOnItsWay) return false;
  const parting = partingWords(current);
  const focused = document.activeElement;
  const hadFocus = current.element.contains(focused) || focused === document.body;
  const isWriting = hadFocus && focused.matches("textarea");
  boxWent();
  showNothing();
  history.replaceState({ htmx: true }, "", desk.dataset.home);
  if (finishing === current.id) say(words("finished", { name: current.name }));
  else {
    showNotice(parting || words("gone", { name: current.name }), "info", current.id);
    tellUnsent(current);
  }
  const next = document.querySelector("a.task");
  // Whoever writes would write on in the next one's box.
  if (parting && next && !isWriting && !isGoing() && !document.querySelector("dialog[open]")) next.click();
  else if (hadFocus) document.getElementById("conversation").focus();
  return true;
}

/** Mark the open conversation in the list; the server may not know yet which one that is. */
export function markOpen(current) {
  for (const row of document.querySelectorAll("[data-conversation].task")) {
    if (row.dataset.conversation === current.id) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

function showCustomer(isOpen) {
  const pane = document.getElementById("customer");
  pane.classList.toggle("open", isOpen);
  for (const button of document.querySelectorAll("[data-customer-toggle]")) button.setAttribute("aria-expanded", isOpen);
  (isOpen ? pane.querySelector("[data-customer-close]") : document.querySelector("[data-customer-toggle]"))?.focus();
}

function startCustomer() {
  document.addEventListener("click", (event) => {
    const isOpen = document.getElementById("customer").classList.contains("open");
    if (event.target.closest("[data-customer-toggle]")) showCustomer(!isOpen);
    else if (event.target.closest("[data-customer-close]")) showCustomer(false);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.closest?.("#customer.open")) showCustomer(false);
  });
}

/** `onShown` is called when another conversation, or none, stands on the page. */
export function startNavigation(onShown) {
  startCustomer();
  // A link opened in a new tab is the browser's business, not htmx's.
  document.addEventListener(
    "click",
    (event) => {
      const link = event.target.closest("a[hx-get]");
      if (link && (event.ctrlKey || event.metaKey || event.shiftKey)) event.stopImmediatePropagation();
    },
    { capture: true },
  );
  document.addEventListener("click", (event) => {
    if (!event.target.closest("a[data-home]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.pushState({ htmx: true }, "", desk.dataset.home);
    show(desk.dataset.home, onShown);
  });
  document.body.addEventListener("htmx:historyCacheMiss", (event) => {
    event.preventDefault();
    show(event.detail.path, onShown);
  });
  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => isSignIn(detail.xhr.responseURL) && toSignIn(detail));
  document.body.addEventListener("htmx:beforeRequest", going);
  // The socket may tell that the conversation is closed before the answer to its closing reason is here.
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.matches("dialog[data-closing] form")) finishing = document.getElementById("conversation").dataset.conversation;
  });
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.failed) finishing = "";
  });
}
