// The pages are made on the server. This script keeps them true: when something changed it asks for the page again and puts its
// content in the place of the old one, without moving the focus, the scrolling or what is open.

const byId = (id) => document.getElementById(id);
let tag, asking, askAgain, timer, again, later, stream, following;
let hurried, hurry = new Promise((resolve) => { hurried = resolve; }); // a person asked: nothing is waited for

// refresh asks for the page of the address. Calls that come while one is under way become one more, which waits the longer the
// longer an answer takes: a page that looks at a large fleet must not keep the daemon busy.
async function refresh(keep = true) {
  if (asking) { askAgain = true; return; }
  asking = true;
  const began = performance.now();
  let rest = 0; // milliseconds for which the daemon wants no further question
  const address = location.pathname + location.search;
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html", ...(tag ? { "If-None-Match": tag } : {}) } });
    if (answer.redirected && new URL(answer.url).pathname === "/login") { location.assign("/login"); return; } // the session ended
    if (answer.status !== 429 && stream?.readyState === EventSource.OPEN) connection("live");
    clearTimeout(later);
    if (answer.headers.has("Transom-Behind")) later = setTimeout(refresh, 300); // of a large fleet, what changed is still being put together
    if (answer.status === 429) {
      const seconds = Math.max(1, Number(answer.headers.get("Retry-After")) || 1);
      connection("away", `asked too often: trying again in ${seconds} s`);
      rest = seconds * 1000;
      askAgain = true;
    } else if (answer.status !== 304 && address === location.pathname + location.search) {
      tag = answer.headers.get("ETag");
      replace(new DOMParser().parseFromString(await answer.text(), "text/html"), keep);
    }
  } catch {
    connection("away");
    clearTimeout(again);
    again = setTimeout(() => refresh(), 3000);
  }
  const pace = Number(document.querySelector("[data-pace]")?.dataset.pace ?? 0) * 1000; // of a page that asks clusters
  await Promise.race([hurry, new Promise((resolve) => setTimeout(resolve, Math.max(rest, pace, 3 * (performance.now() - began))))]);
  asking = false;
  if (askAgain) { askAgain = false; refresh(); }
}

// rush is a refresh that a person asked for.
function rush(keep = true) {
  hurried();
  hurry = new Promise((resolve) => { hurried = resolve; });
  refresh(keep);
}

// replace puts the content of a new page in the place of the old one. Fields keep what is being typed in them.
function replace(page, keep = true) {
  const main = byId("main");
  const focus = document.activeElement;
  const kept = focus?.id && main.contains(focus) ? { id: focus.id, within: focus.closest("section[id][tabindex]")?.id, from: focus.selectionStart, to: focus.selectionEnd } : null;
  const scrolled = [...main.querySelectorAll(".scroll[id]")].map((e) => [e.id, e.scrollLeft, e.scrollTop, isAtEnd(e)]);
  const opened = new Map([...main.querySelectorAll("details[id]")].map((e) => [e.id, e.open]));
  const values = new Map([...main.querySelectorAll("input[id], select[id], textarea[id]")].map((e) => [e.id, e.type === "checkbox" ? e.checked : e.value]));
  keepLog(page);
  main.replaceChildren(...page.getElementById("main").childNodes);
  for (const id of ["notice", "platform"]) {
    byId(id).hidden = page.getElementById(id).hidden;
    byId(id).replaceChildren(...page.getElementById(id).childNodes);
  }
  for (const [id, value] of keep ? values : []) {
    const e = byId(id);
    if (e) e.type === "checkbox" ? (e.checked = value) : (e.value = value);
  }
  for (const [id, open] of opened) if (byId(id)) byId(id).open = open;
  for (const [id, left, top, atEnd] of scrolled) {
    if (!byId(id)) continue;
    byId(id).scrollTo(left, top);
    if (!atEnd) byId(id).dataset.shown = "yes"; // it stays where a person put it
  }
  if (kept && !byId(kept.id)) byId(kept.within ?? "")?.focus({ preventScroll: true }); // it is gone, but its section is there
  if (kept && byId(kept.id)) {
    byId(kept.id).focus({ preventScroll: true });
    if (kept.from !== null && kept.from !== undefined) { try { byId(kept.id).setSelectionRange(kept.from, kept.to); } catch { /* it has no text */ } }
  }
  spellTimes();
  showChosen();
  showFollow();
  grow();
}

// showChosen brings the chosen environment of a picture that is wider than the window into sight.
function showChosen() {
  const picture = document.querySelector(".pipeline");
  const chosen = picture?.querySelector(".stage.chosen rect");
  if (chosen && !picture.dataset.shown) picture.scrollLeft = Math.max(0, Number(chosen.getAttribute("x")) + Number(chosen.getAttribute("width")) - picture.clientWidth + 20);
  if (picture) picture.dataset.shown = "yes";
}

// typed follows a form whose result is a page: the address becomes that of the form, and the page is asked for again.
function typed(event) {
  const form = event.target.closest("form[data-live]");
  if (!form) return;
  clearTimeout(timer);
  timer = setTimeout(() => {
    const query = new URLSearchParams([...new FormData(form, event.submitter)].filter(([, value]) => value !== ""));
    const search = query.toString();
    history.replaceState(null, "", form.getAttribute("action") + (search ? `?${search}` : ""));
    tag = undefined;
    rush();
  }, 20);
}

// The trees of objects that are in sight get their pods once the page is there, and once more after it changed: the clusters are asked one
// after the other, the one first that was asked the longest time ago, and a tree rests for its pace after each answer. Until the next answer
// the page has the last one.
const treePace = 5000;
const grown = new Map(); // by address: when it was asked for, when it may be again, and the answer
let changed = 0, growing, growAgain;

function grow() {
  changed = performance.now();
  fill();
}

// fill asks for the trees that are older than the page.
async function fill() {
  const trees = () => [...document.querySelectorAll("[data-tree]")].filter((e) => e.closest("details")?.open ?? true);
  const last = (e) => grown.get(e.dataset.tree) ?? { at: -1, rests: 0 };
  const old = () => trees().filter((e) => last(e).at < changed).sort((a, b) => last(a).at - last(b).at);
  for (const e of trees()) put(e);
  if (growing) return;
  clearTimeout(growAgain);
  growing = true;
  for (let e; !document.hidden && (e = old().find((one) => last(one).rests <= performance.now()));) {
    const address = e.dataset.tree;
    const tree = { ...last(e), at: performance.now() };
    grown.set(address, tree);
    try {
      const answer = await fetch(address, { headers: { Accept: "text/html" } });
      const page = answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : undefined;
      tree.nodes = [page?.querySelector("#pods > .why"), ...(page?.getElementById("grown")?.childNodes ?? [])].filter(Boolean);
    } catch { tree.nodes = []; } // the page has its objects
    tree.rests = performance.now() + treePace;
    for (const one of trees()) if (one.dataset.tree === address) put(one);
  }
  growing = false;
  if (!document.hidden && old().length > 0) growAgain = setTimeout(fill, treePace);
}

// put shows the last tree that came in the place of one, and keeps the focus on its link.
function put(e) {
  const nodes = grown.get(e.dataset.tree)?.nodes ?? [];
  if (nodes.length === 0) return;
  const focus = e.contains(document.activeElement) ? document.activeElement.getAttribute("href") : undefined;
  e.replaceChildren(...nodes.map((node) => node.cloneNode(true)));
  if (focus) [...e.querySelectorAll("a")].find((a) => a.getAttribute("href") === focus)?.focus({ preventScroll: true });
  spellTimes();
}

// A log that is followed stays in place while the page around it is made anew, until its page is left or shows another log.
const mostLines = 2000;

const isAtEnd = (e) => e.scrollTop + e.clientHeight >= e.scrollHeight - 20;

function keepLog(page) {
  if (!following) return;
  if (page.getElementById("follow")?.dataset.follow === following.address) page.getElementById("lines").replaceWith(byId("lines"));
  else following.stop.abort();
}

function showFollow() {
  const button = byId("follow");
  if (!button) return;
  button.hidden = false;
  button.textContent = following ? "Stop" : "Follow";
  const lines = byId("lines");
  if (lines && !lines.dataset.shown) { lines.scrollTop = lines.scrollHeight; lines.dataset.shown = "yes"; }
}

// follow reads a log as its lines come. Each becomes text, whatever it has in it.
async function follow(address) {
  const mine = following = { address, stop: new AbortController() };
  byId("lines").replaceChildren();
  showFollow();
  let why = "";
  try {
    const answer = await fetch(address, { signal: mine.stop.signal });
    if (!answer.ok) throw new Error((await answer.json()).detail ?? answer.statusText);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ;) {
      const { done, value } = await reader.read();
      if (done) break;
      const texts = (rest + value).split("\n");
      rest = texts.pop();
      addLines(texts.filter((text) => text !== "").map((text) => JSON.parse(text)));
    }
  } catch (e) {
    why = mine.stop.signal.aborted ? "stopped" : e.message;
  }
  if (following !== mine) return;
  following = undefined;
  if (byId("follow")?.dataset.follow === address) addLines([{ error: why || "the log ended here: follow it again for the lines to come" }]);
  showFollow();
}

function addLines(all) {
  const lines = byId("lines");
  const atEnd = isAtEnd(lines);
  for (const one of all) {
    const row = document.createElement("div");
    const from = document.createElement("span");
    from.className = "from";
    from.textContent = [one.pod, one.container].filter(Boolean).join(" ");
    row.append(...(from.textContent ? [from, " "] : []), one.line ?? "", one.error ?? "");
    if (one.error) row.className = "failed";
    lines.append(row);
  }
  while (lines.childElementCount > mostLines) lines.firstElementChild.remove();
  if (atEnd) lines.scrollTop = lines.scrollHeight;
}

function connection(state, text = { live: "live", away: "no daemon: trying again" }[state]) {
  byId("link").className = `link ${state}`;
  byId("link").textContent = text;
}

const events = "/api/v1/events?only=status";

function listen() {
  stream = new EventSource(events);
  stream.addEventListener("open", () => connection("live"));
  stream.addEventListener("error", () => {
    connection("away");
    if (stream.readyState === EventSource.CLOSED) refused();
  });
  stream.addEventListener("status", () => refresh());
}

// refused asks why there is no stream, which an EventSource does not tell, and when there may be one. Then it listens again.
async function refused() {
  let seconds = 3;
  const asked = new AbortController();
  try {
    const answer = await fetch(events, { headers: { Accept: "text/event-stream" }, signal: asked.signal });
    if (answer.ok) seconds = 1;
    if (answer.status === 429) {
      seconds = Math.max(1, Number(answer.headers.get("Retry-After")) || 1);
      connection("away", `too many requests, trying again in ${seconds} s`);
    }
  } catch { /* nobody answers */ }
  asked.abort();
  setTimeout(listen, seconds * 1000);
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

function spellTimes() {
  for (const node of document.querySelectorAll("time.ago")) {
    const date = new Date(node.dateTime);
    const seconds = Math.round((Date.now() - date.getTime()) / 1000);
    const text = node.classList.contains("lasting") && seconds >= 0 ? `for ${span(seconds)}` : spell(date);
    if (node.textContent !== text) { node.textContent = text; node.title = date.toLocaleString(); }
  }
}

document.addEventListener("input", typed);
document.addEventListener("submit", (e) => { if (e.target.matches("form[data-live]")) { e.preventDefault(); typed(e); } });
document.addEventListener("click", (e) => {
  const button = e.target.closest("#follow");
  if (button) following ? following.stop.abort() : follow(button.dataset.follow);
});
document.addEventListener("keydown", (e) => { // "/" goes to the search of a page
  const typing = e.target.closest("input, textarea, select");
  const search = document.querySelector("main input[type=search]");
  if (e.key === "/" && !typing && search) { e.preventDefault(); search.focus(); }
});
window.addEventListener("popstate", () => { tag = undefined; rush(false); }); // the fields are those of the address
document.addEventListener("toggle", () => fill(), true);
document.addEventListener("visibilitychange", () => grow());
setInterval(spellTimes, 5000);
spellTimes();
showChosen();
showFollow();
grow();
// A page that the browser keeps for the way back would keep its stream, too, and few connections to one server may be open at once.
window.addEventListener("pagehide", () => { stream.close(); following?.stop.abort(); });
window.addEventListener("pageshow", (e) => { if (e.persisted) { listen(); rush(false); } });
listen();
