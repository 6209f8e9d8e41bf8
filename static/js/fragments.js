/**
 * Puts what the socket sent in its place: elements with an id and hx-swap-oob.
 *
 * Left alone is what would only disturb: a fragment equal to the one that stands there, and one whose data-keep is the
 * same as before (a compose box in which somebody may be writing).
 */

import { showTimes } from "./times.js";

// Parts of a line, a list or a conversation that is not on the page: it may have been left since they were sent.
const OF_ANOTHER = /^(files|task|panel|composer|closing)-/;

// By element, not by id: an element that something else put there since is not the one that was applied.
const applied = new WeakMap();

/** Apply the fragments; answers the elements that are new on the page. */
export function applyFragments(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = [...template.content.children].filter(isFresh);
  if (!fresh.length) return [];
  const htmls = new Map(fresh.filter((element) => element.id).map((element) => [element.id, element.outerHTML]));
  const focused = document.activeElement?.id;
  if (window.htmx) {
    const together = fresh.map((element) => element.outerHTML).join("");
    window.htmx.swap(document.body, together, { swapStyle: "none" });
  } else {
    fresh.forEach(replace);
  }
  if (focused && document.activeElement?.id !== focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
  const shown = [];
  for (const [id, html] of htmls) {
    const element = document.getElementById(id);
    if (!element) continue;
    applied.set(element, html);
    // What it lies in is no longer what was put there: the same again would be another one now.
    for (let around = element.parentElement; around; around = around.parentElement) applied.delete(around);
    showTimes(element);
    shown.push(element);
  }
  return shown;
}

function isFresh(element) {
  if (!element.id) return true;
  const standing = document.getElementById(element.id);
  if (standing === null && OF_ANOTHER.test(element.id)) return false;
  const keep = element.dataset.keep;
  if (keep !== undefined && standing?.dataset.keep === keep) return false;
  return standing === null || applied.get(standing) !== element.outerHTML;
}

function replace(element) {
  element.removeAttribute("hx-swap-oob");
  document.getElementById(element.id)?.replaceWith(element);
}
