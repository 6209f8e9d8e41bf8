/** What was written and did not go, told where the person is now; it stays until he closes it. */

import { words } from "./desk-words.js";
import { showNotice } from "./notices.js";

const isTask = (conversation) => document.getElementById(`task-${conversation}`) !== null;

/**
 * A message was refused, and its thread is not on the page. One whose conversation is among the tasks stands there with
 * Retry; of any other the notice is all that is left, and closing it gives the message up.
 */
export function tellFailed(entry, outbox) {
  const { key, conversation, sentence } = entry;
  const text = [entry.text, ...(entry.files ?? []).map((file) => file.name)].filter(Boolean).join("\n");
  const notice = showNotice(words("notSentThere", { text, sentence }), "error", conversation);
  notice?.addEventListener("closed", () => isTask(conversation) || outbox.discard(key));
}

/** A conversation left the desk with a message in its box. */
export function tellUnsent({ id, name, unsent }) {
  const text = unsent.trim();
  if (text) showNotice(words("unsentThere", { name, text }), "error", id);
}

/** What was refused in conversations that are not at this desk any more. */
export function tellLeftFailed(outbox) {
  for (const entry of outbox.failed) {
    if (!isTask(entry.conversation)) tellFailed(entry, outbox);
  }
}
