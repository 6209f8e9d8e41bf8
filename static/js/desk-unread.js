/** Messages in conversations that the person does not see: counted for the title, and heard once. */

import { soundMessage } from "./desk-sound.js";
import { isDeskInFront } from "./desk-tabs.js";

let known = null;

async function hear(conversation) {
  if (!(await isDeskInFront(conversation))) soundMessage(conversation);
}

/** How many messages wait to be read; `seen` is the conversation that the person has before the eyes. */
export function unreadMessages(seen) {
  const before = known;
  known = new Map();
  let total = 0;
  for (const { dataset } of document.querySelectorAll("a.task[data-unread]")) {
    const { conversation } = dataset;
    const unread = Number(dataset.unread);
    known.set(conversation, unread);
    if (conversation === seen) continue;
    total += unread;
    if (unread > (before?.get(conversation) ?? unread)) hear(conversation);
  }
  return total;
}
