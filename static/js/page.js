/** What every page has: ticking times and notices. */

import { startNotices } from "./notices.js";
import { startTimes } from "./times.js";

startTimes();
startNotices();
