/**
 * Notices live in #notices, which screen readers announce. Errors stay until they are closed; what is only for
 * information goes by itself, but never while somebody is at it or nobody is at the page.
 */

const GOES_AFTER = 12_000;

function goLater(notice) {
  setTimeout(() => {
    const isInUse = notice.matches(":hover, :focus-within") || document.visibilityState === "hidden";
    if (isInUse) goLater(notice);
    else notice.remove();
  }, GOES_AFTER);
}

/** Show a sentence, about a conversation maybe; the same sentence stands there once. Answers the notice: it hears `closed`. */
export function showNotice(sentence, kind = "error", about = "") {
  const place = document.getElementById("notices");
  const template = document.getElementById("notice-template");
  if (!place || !template || !sentence) return null;
  const notice = template.content.firstElementChild.cloneNode(true);
  notice.className = `notice ${kind}`;
  notice.dataset.about = about;
  notice.querySelector("p").textContent = sentence;
  for (const other of place.querySelectorAll(".notice")) {
    if (other.querySelector("p").textContent === sentence) other.remove();
  }
  place.append(notice);
  if (kind === "info") goLater(notice);
  return notice;
}

/** The sentence of an answer that is a notice. */
export function sentenceIn(html) {
  return new DOMParser().parseFromString(html, "text/html").querySelector("p").textContent;
}

/** What was said about this conversation holds no longer. */
export function dropNoticesAbout(conversation) {
  for (const notice of document.querySelectorAll(`#notices [data-about="${CSS.escape(conversation)}"]`)) notice.remove();
}

/** Let every notice be closed, by its button or with Escape; the focus goes back to where it was. */
export function startNotices() {
  let before = null;
  document.addEventListener("focusin", (event) => {
    if (!event.target.closest(".notice")) before = event.target;
  });
  const close = (notice) => {
    const hadFocus = notice.contains(document.activeElement);
    notice.remove();
    notice.dispatchEvent(new CustomEvent("closed"));
    if (hadFocus && before?.isConnected) before.focus({ preventScroll: true });
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-close-notice]");
    if (button) close(button.closest(".notice"));
  });
  document.addEventListener("keydown", (event) => {
    const notice = event.target.closest?.(".notice");
    if (event.key === "Escape" && notice) close(notice);
  });
}
