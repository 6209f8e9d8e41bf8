/** What is typed and not sent, by conversation: {text, note}. Of this tab alone: two tabs may hold two beginnings. */

const NOTHING = { text: "", note: false };

export function draftName(scope, conversation) {
  return `livedesk.draft.${scope}.${conversation}`;
}

export function readDraft(name) {
  try {
    return { ...NOTHING, ...JSON.parse(sessionStorage.getItem(name)) };
  } catch {
    return NOTHING;
  }
}

export function writeDraft(name, draft) {
  try {
    if (draft.text || draft.note) sessionStorage.setItem(name, JSON.stringify(draft));
    else sessionStorage.removeItem(name);
  } catch {
    // Without storage the text stands in the box only.
  }
}
