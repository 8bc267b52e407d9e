// element makes DOM nodes. Text always goes in as text, never as markup, because it comes from files that people wrote.
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child !== undefined && child !== null && child !== "") node.append(child);
  }
  return node;
}

// short is how people read a hash.
export const short = (hash = "") => hash.replace(/^sha256:/, "").slice(0, 7);

// ago is a time as people say it; its node is kept true by refreshTimes.
export function ago(when) {
  const date = new Date(when);
  return element("time", { datetime: date.toISOString(), title: date.toLocaleString(), class: "ago" }, spell(date));
}

export function refreshTimes(root) {
  for (const node of root.querySelectorAll("time.ago")) {
    const text = spell(new Date(node.dateTime));
    if (node.textContent !== text) node.textContent = text;
  }
}

// spell says how long ago a time was, or how long it is until then.
function spell(date) {
  const seconds = Math.round((Date.now() - date.getTime()) / 1000);
  if (seconds <= -5) return `in ${span(-seconds)}`;
  return seconds < 5 ? "now" : `${span(seconds)} ago`;
}

function span(seconds) {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86400)}d`;
}

// verdict is the one word a placement, or an instance without one, gets: its health, or Problem, which outranks it.
export function verdict(instance, placement) {
  const wrong = (list) => (list || []).some((p) => !p.warning);
  if (wrong(instance.problems) || (placement && wrong(placement.problems))) return "Problem";
  if (placement) return placement.health || "Unknown";
  return waitingWord(instance) || "Unknown";
}

// waitingWord is the word for the release that would enter next: Rejected if it failed here before, which no time mends.
export function waitingWord(instance) {
  const gates = instance.waiting || [];
  if (gates.length === 0) return "";
  return gates.some((g) => g.gate === "rejected") ? "Rejected" : "Waiting";
}

// image is an image as people tell it from others: its last name with its tag, or the beginning of its digest.
export function image(full) {
  const [name, digest] = full.split("@sha256:");
  const last = name.slice(name.lastIndexOf("/") + 1);
  return digest && !last.includes(":") ? `${last}@${digest.slice(0, 7)}` : last;
}

export const verdicts = ["Healthy", "Suspended", "Progressing", "Failed", "Problem", "Unknown", "Rejected", "Waiting"];

// mark is a verdict's sign: a shape of its own, so that colour is never all there is.
export function mark(word) {
  const shapes = { Healthy: "✓", Suspended: "‖", Progressing: "◔", Failed: "✕", Problem: "!", Unknown: "?", Rejected: "✕", Waiting: "→" };
  return element("span", { class: `mark ${word.toLowerCase()}`, "aria-hidden": "true" }, shapes[word] || "?");
}
