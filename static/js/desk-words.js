/** The page's own sentences (#desk-words), and the place where screen readers hear them. */

export function words(name, values = {}) {
  const sentence = document.getElementById("desk-words").dataset[name];
  return sentence.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

/** Have a sentence read out without showing it. */
export function say(sentence) {
  const place = document.getElementById("announcements");
  const line = document.createElement("p");
  line.textContent = sentence;
  place.append(line);
  while (place.children.length > 5) place.firstElementChild.remove();
}
