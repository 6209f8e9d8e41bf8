/** What every page has: ticking times and notices. */

import { sentenceIn, showNotice, startNotices } from "./notices.js";
import { startTimes } from "./times.js";

startTimes();
startNotices();

// A refusal is shown even when the element that asked has been replaced meanwhile.
document.addEventListener("htmx:afterRequest", ({ detail: { xhr } }) => {
  if (xhr?.getResponseHeader("Livedesk-Notice")) showNotice(sentenceIn(xhr.responseText));
});
