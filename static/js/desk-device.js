/** Says "Firefox on Android" where the page has the browser's own long line; that one stays as the tooltip. */

const BROWSERS = [
  ["Edge", /\bEdg(e|A|iOS)?\//],
  ["Opera", /\b(OPR|Opera)\//],
  ["Samsung Internet", /\bSamsungBrowser\//],
  ["Firefox", /\b(Firefox|FxiOS)\//],
  ["Chrome", /\b(Headless)?(Chrome|CriOS|Chromium)\//],
  ["Safari", /\bSafari\//],
];
const SYSTEMS = [
  ["Android", /\bAndroid\b/],
  ["iPhone", /\biPhone\b/],
  ["iPad", /\biPad\b/],
  ["Windows", /\bWindows\b/],
  ["macOS", /\bMac(intosh| OS X)\b/],
  ["ChromeOS", /\bCrOS\b/],
  ["Linux", /\bLinux\b/],
];

const nameIn = (list, line) => list.find(([, pattern]) => pattern.test(line))?.[0];

export function showDevices() {
  for (const place of document.querySelectorAll("[data-device]")) {
    const line = place.title;
    const browser = nameIn(BROWSERS, line);
    const system = nameIn(SYSTEMS, line);
    if (browser && system) place.textContent = place.dataset.device.replace("{browser}", browser).replace("{system}", system);
  }
}
