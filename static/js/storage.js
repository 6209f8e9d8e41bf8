/** What a page keeps in the browser. Without storage (a private window, a full disk) it keeps it until it is closed. */

const memory = new Map();
const KEEP_FOR = 7 * 24 * 3_600_000;

export function remember(name, value) {
  memory.set(name, value);
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Kept in memory above.
  }
}

export function forget(name) {
  memory.delete(name);
  try {
    localStorage.removeItem(name);
  } catch {
    // Nothing was stored.
  }
}

export function recall(name) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? memory.get(name) ?? null;
  } catch {
    return memory.get(name) ?? null;
  }
}

/** Every value under a prefix. What is older than a week (its `at`) belongs to a conversation long over and goes. */
export function stored(prefix) {
  let names = [...memory.keys()];
  try {
    names = [...new Set([...names, ...Object.keys(localStorage)])];
  } catch {
    // Only memory then.
  }
  const values = [];
  for (const name of names.filter((name) => name.startsWith(prefix))) {
    const value = recall(name);
    if (value && Date.now() - value.at < KEEP_FOR) values.push(value);
    else forget(name);
  }
  return values;
}
