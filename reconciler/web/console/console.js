import { ago, element, mark, refreshTimes, verdicts } from "./element.js";
import { draw, rows, select, verdictsOf } from "./matrix.js";
import { at, detail } from "./detail.js";

const byId = (id) => document.getElementById(id);
const chosen = new Set(); // verdicts that the matrix is narrowed to; none is all
const feedLimit = 200;
const troubleLimit = 6;
let status, tag, asking, askAgain;

// refresh reads the status. Calls that come while one is under way become one more, which waits the longer the longer
// an answer takes: a page that looks at a large fleet must not keep the daemon busy.
async function refresh() {
  if (asking) { askAgain = true; return; }
  asking = true;
  const began = performance.now();
  try {
    const answer = await fetch("/api/v1/status?objects=none");
    if (answer.status === 401) { location.assign("/login"); return; } // the session ended
    if (!answer.ok) throw new Error(`/api/v1/status: ${answer.status}`);
    if (answer.headers.get("ETag") !== tag) {
      status = await answer.json();
      tag = answer.headers.get("ETag");
      show();
    }
  } catch (e) {
    connection("away", e.message);
  }
  await new Promise((resolve) => setTimeout(resolve, 3 * (performance.now() - began)));
  asking = false;
  if (askAgain) { askAgain = false; refresh(); }
}

function show() {
  const { platform } = status;
  byId("platform").replaceChildren(platform.url || "", platform.commit ? " at " : "", element("code", { title: platform.commit }, (platform.commit || "").slice(0, 7)));
  const troubles = [...new Set([platform.error, ...Object.entries(platform.forge || {}).filter(([, why]) => why).map(([part, why]) => `The forge is not told (${part}): ${why}`), ...status.environments.flatMap((e) => [
    e.frozen && `${e.name}: ${e.frozen}`, e.error && `${e.name} is tried again: ${e.error}`,
    ...(e.clusters || []).map((c) => (!c.reachable ? c.message && `cluster ${c.name} is not reachable: ${c.message}` : c.problem || (c.refusing && `cluster ${c.name}: ${c.refusing}`) || (c.credential?.warning && `cluster ${c.name}: ${c.credential.warning}`))),
  ])].filter(Boolean))];
  byId("notice").hidden = troubles.length === 0;
  const told = troubles.length > troubleLimit ? [...troubles.slice(0, troubleLimit), `and ${troubles.length - troubleLimit} more: transom status has them`] : troubles;
  byId("notice").replaceChildren(...told.map((t) => element("span", {}, t)));
  showCounts();
  showMatrix();
  showProblems();
  if (byId("detail").open) follow();
}

function showCounts() {
  const counts = Object.fromEntries(verdicts.map((word) => [word, 0]));
  for (const instance of status.instances) for (const word of verdictsOf(instance)) counts[word]++;
  byId("counts").replaceChildren(...verdicts.filter((word) => counts[word] || word === "Healthy" || chosen.has(word)).map((word) =>
    element("button", {
      type: "button", class: `count ${word.toLowerCase()}`, "aria-pressed": String(chosen.has(word)),
      onclick: () => { chosen.has(word) ? chosen.delete(word) : chosen.add(word); showCounts(); showMatrix(); },
    }, mark(word), element("b", {}, String(counts[word])), ` ${word}`)));
}

function showMatrix() {
  const all = rows(status);
  const selected = select(all, byId("search").value, chosen);
  const left = draw(byId("matrix"), status, selected);
  const text = left > 0 ? `${left} more: narrow the filter to see them.`
    : all.length === 0 ? status.environments.some((e) => e.commit !== status.platform.commit)
      ? "The daemon has yet to read what its environments hold." : "No requests yet: merge one and it appears here."
      : selected.length === 0 ? "Nothing matches the filter." : "";
  byId("more").hidden = text === "";
  byId("more").textContent = text;
}

function showProblems() {
  const seen = new Set();
  const list = [...(status.platform.problems || []), ...status.environments.flatMap((e) => e.problems || [])].filter((p) => {
    const key = `${at(p)} ${p.message}`;
    return !seen.has(key) && seen.add(key);
  });
  list.sort((x, y) => Number(!!x.warning) - Number(!!y.warning));
  byId("problems").replaceChildren(...(list.length ? list.map((p) =>
    element("li", { class: p.warning ? "warning" : null },
      element("code", {}, at(p)), element("span", {}, p.warning ? `Warning: ${p.message}` : p.message)))
    : [element("li", { class: "fine" }, mark("Healthy"), "None: all that is merged is valid.")]));
}

// follow opens the instance or placement that the address names: #/TEAM/REQUEST/ENVIRONMENT[/CLUSTER].
async function follow() {
  const dialog = byId("detail");
  const [, team, name, environment, cluster] = decodeURI(location.hash).split("/");
  if (!environment) { if (dialog.open) dialog.close(); return; }
  const query = new URLSearchParams({ team, request: name, environment });
  const [answer, traced] = await Promise.all([
    fetch(`/api/v1/status?${query}`), fetch(`/api/v1/explain?${query}${cluster ? `&cluster=${encodeURIComponent(cluster)}` : ""}`)]);
  const known = answer.ok ? await answer.json() : { instances: [], environments: [] };
  const instance = known.instances[0];
  if (!instance) { if (dialog.open) dialog.close(); return; }
  const placement = (instance.placements || []).find((p) => p.cluster === cluster);
  detail(dialog, instance, placement, traced.ok ? await traced.json() : undefined, known.environments[0]);
  if (!dialog.open) dialog.showModal();
}

function happened(message) {
  const e = JSON.parse(message.data);
  const feed = byId("events");
  const who = e.request ? `${e.request.team}/${e.request.name}` : "";
  const where = e.cluster || e.environment || (who ? "" : "platform");
  const about = `${where} ${who}`;
  for (const step of [...feed.children].slice(0, 50)) { // of many steps on the way only the last one matters
    if (who && step.dataset.about === about && "step" in step.dataset) step.remove();
  }
  const onTheWay = /^(Applied, Progressing|committed|took release)/.test(e.message);
  feed.prepend(element("li", { class: e.level, "data-about": about, "data-step": onTheWay }, ago(e.at),
    element("span", { class: "about" }, who ? element("b", {}, who) : "", who && where ? " on " : "", where),
    element("span", { class: "what", title: e.message }, e.message)));
  while (feed.children.length > feedLimit) feed.lastChild.remove();
}

function connection(state, title) {
  byId("link").className = `link ${state}`;
  byId("link").textContent = { live: "live", away: "no daemon: trying again" }[state];
  byId("link").title = title || "";
}

function listen() {
  const stream = new EventSource("/api/v1/events");
  stream.addEventListener("open", () => connection("live"));
  stream.addEventListener("error", () => {
    connection("away");
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  });
  stream.addEventListener("event", happened);
  stream.addEventListener("status", refresh);
}

// identify shows who is logged in, and the way out or in.
async function identify() {
  const answer = await fetch("/api/v1/whoami");
  if (!answer.ok) return;
  const { name, role, login } = await answer.json();
  if (name) {
    byId("person").replaceChildren(
      element("span", { title: role }, name), element("form", { method: "post", action: "/logout" }, element("button", {}, "Log out")));
  } else if (login) byId("person").replaceChildren(element("a", { href: "/login" }, "Log in"));
}

byId("search").addEventListener("input", showMatrix);
byId("detail").addEventListener("close", () => { if (location.hash) history.replaceState(null, "", location.pathname); });
byId("detail").addEventListener("click", (e) => { if (e.target === e.currentTarget) e.currentTarget.close(); });
window.addEventListener("hashchange", follow);
setInterval(() => refreshTimes(document), 5000);
refresh().then(follow);
identify();
listen();
