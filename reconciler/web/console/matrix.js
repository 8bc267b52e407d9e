import { element, image, mark, short, verdict, waitingWord } from "./element.js";
import { next, stand } from "./promotion.js";

const rowLimit = 300;

// rows groups instances into one row per request, keeping the order of the status: by team, then by name.
export function rows(status) {
  const byRequest = new Map();
  for (const instance of status.instances) {
    const { team, name } = instance.request;
    const key = `${team}/${name}`;
    if (!byRequest.has(key)) byRequest.set(key, { key, team, name, environments: new Map() });
    byRequest.get(key).environments.set(instance.environment, instance);
  }
  return worstFirst([...byRequest.values()]);
}

const order = ["Problem", "Failed", "Rejected", "Unknown", "Progressing"];

// worstFirst puts the rows that need somebody first, the teams that have them before other teams, and else keeps the order.
function worstFirst(all) {
  const rank = (word) => (order.includes(word) ? order.indexOf(word) : order.length);
  const teams = new Map();
  for (const row of all) {
    row.rank = Math.min(...[...row.environments.values()].flatMap(verdictsOf).map(rank));
    teams.set(row.team, Math.min(row.rank, teams.get(row.team) ?? order.length));
  }
  return all.map((row, i) => [row, i]).sort(([a, i], [b, j]) =>
    teams.get(a.team) - teams.get(b.team) || (a.team < b.team ? -1 : a.team > b.team ? 1 : 0) || a.rank - b.rank || i - j).map(([row]) => row);
}

// select keeps the rows that the search and the chosen verdicts ask for.
export function select(all, search, chosen) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter((row) => {
    const instances = [...row.environments.values()];
    const text = [row.key, ...instances.map((i) => `${i.offering || i.candidate?.offering}@${i.version}`)].join(" ").toLowerCase();
    if (!words.every((word) => text.includes(word))) return false;
    return chosen.size === 0 || instances.some((i) => verdictsOf(i).some((word) => chosen.has(word)));
  });
}

export function verdictsOf(instance) {
  const placements = instance.placements || [];
  if (placements.length === 0) return [verdict(instance)];
  return [...placements.map((p) => verdict(instance, p)), waitingWord(instance)].filter(Boolean);
}

// draw fills the table and returns how many rows did not fit.
export function draw(table, status, selected) {
  const focused = document.activeElement?.dataset?.cell;
  const columns = status.environments.map((e) => ({ ...e, clusters: e.clusters?.length ? e.clusters : [{ name: "" }] }));
  const bodies = [];
  let team;
  for (const row of selected.slice(0, rowLimit)) {
    if (row.team !== team) {
      team = row.team;
      const span = 1 + columns.reduce((n, e) => n + e.clusters.length, 0);
      bodies.push(element("tbody", {}, element("tr", { class: "team" }, element("th", { colspan: span, scope: "rowgroup" }, team))));
    }
    bodies.at(-1).append(line(row, columns));
  }
  const caption = table.caption;
  table.replaceChildren(caption, head(columns), ...bodies);
  if (focused) table.querySelector(`[data-cell="${CSS.escape(focused)}"]`)?.focus();
  return selected.length - Math.min(selected.length, rowLimit);
}

function head(columns) {
  const environments = columns.map((e) =>
    element("th", { colspan: e.clusters.length, scope: "colgroup", class: "environment edge" },
      element("span", { class: "name" }, e.name),
      e.promotesFrom?.length ? element("span", { class: "from" }, `from ${e.promotesFrom.join(", ")}`) : null,
      e.frozen ? element("span", { class: "flag failed", title: e.frozen }, "frozen") : null,
      ...debts(e),
      e.plan ? element("span", { class: "flag progressing", title: `transom promote --plan ${e.plan} -e ${e.name} approves it` }, "change waits") : null,
      e.deletions ? element("span", { class: "flag progressing", title: `more than the environment's deletionLimit; an Approval of ${e.deletions} lets them through` }, "deletions wait") : null,
      e.error ? element("span", { class: "flag progressing", title: e.error }, "retrying") : null,
      e.stateCommit ? element("code", { title: `state commit ${e.stateCommit}\n${e.did || ""}` }, short(e.stateCommit)) : null));
  const clusters = columns.flatMap((e) => e.clusters.map((c, i) =>
    element("th", { scope: "col", class: i === 0 ? "cluster edge" : "cluster", title: c.message }, c.name, c.wave ? element("span", { class: "from" }, c.wave) : null, reach(c))));
  return element("thead", {},
    element("tr", {}, element("th", { rowspan: 2, scope: "col", class: "corner" }, "Request"), environments),
    element("tr", {}, clusters));
}

// debts are the Holds, Pins and Overrides in force, a flag for each kind.
function debts(environment) {
  const kinds = Map.groupBy(environment.decisions || [], (d) => d.kind);
  return [...kinds].map(([kind, list]) => element("span", {
    class: "flag progressing",
    title: list.map((d) => [`${d.kind} of ${d.about}`, d.reason, d.until && `until ${new Date(d.until).toLocaleString()}`, d.file].filter(Boolean).join(" · ")).join("\n"),
  }, `${list.length} ${kind.toLowerCase()}${list.length > 1 ? "s" : ""}`));
}

// reach names the unusual state of a cluster; a cluster that is active and answers needs none.
function reach(cluster) {
  if (!cluster.name) return null;
  if (!cluster.reachable) return element("span", { class: "flag failed" }, cluster.since || cluster.message ? "unreachable" : "connecting");
  if (cluster.problem) return element("span", { class: "flag failed", title: cluster.problem }, "not written");
  if (cluster.state !== "active") return element("span", { class: "flag progressing", title: cluster.reason }, cluster.state);
  return null;
}

function line(row, columns) {
  const instances = [...row.environments.values()];
  return element("tr", {},
    element("th", { scope: "row" },
      element("span", { class: "request" }, row.name),
      element("span", { class: "offering" }, instances.map((i) => i.offering || i.candidate?.offering).find(Boolean) || "")),
    columns.flatMap((e) => cells(row, e)));
}

function cells(row, environment) {
  const instance = row.environments.get(environment.name);
  const placed = new Map((instance?.placements || []).map((p) => [p.cluster, p]));
  if (instance && placed.size === 0) {
    return [element("td", { class: "edge", colspan: environment.clusters.length }, cell(row, instance, undefined), next(instance))];
  }
  const first = environment.clusters.find((c) => placed.has(c.name))?.name;
  return environment.clusters.map((cluster, i) => {
    const placement = placed.get(cluster.name);
    return element("td", { class: i === 0 ? "edge" : null },
      placement ? [cell(row, instance, placement), cluster.name === first ? next(instance) : null] : element("span", { class: "none", title: "not placed here" }, "·"));
  });
}

function cell(row, instance, placement) {
  const word = verdict(instance, placement);
  const why = reason(instance, placement);
  const where = [row.team, row.name, instance.environment, placement?.cluster].filter(Boolean).join("/");
  const label = `${row.key} on ${placement?.cluster || instance.environment}: ${word}, ${placement?.version || instance.version || "no version"}`;
  return element("a", { class: `cell ${word.toLowerCase()}`, href: `#/${where}`, "data-cell": where, title: why || word, "aria-label": why ? `${label}. ${why}` : label },
    mark(word),
    element("span", { class: "version" }, placement?.version || instance.version || "–"),
    shown(instance, placement),
    stand(instance, placement),
    word === "Healthy" ? null : element("span", { class: "word" }, instance.absent ? "Removing" : word));
}

// shown is the parameters that the offering marks to be shown, and the images that run.
function shown(instance, placement) {
  const images = placement?.images || [];
  const text = [...(instance.display || []).map((p) => `${p.name}=${p.value}`), ...images.map(image)].join(" ");
  return text ? element("span", { class: "shown", title: images.join("\n") }, text) : null;
}

// reason is the first thing a person would want to know of a placement that is not healthy.
export function reason(instance, placement) {
  const problem = (instance.problems || []).find((p) => !p.warning);
  if (problem) return `${problem.file}${problem.line ? `:${problem.line}` : ""}: ${problem.message}`;
  const object = placement?.problems?.[0];
  if (object) return `${object.object}: ${object.message}`;
  return placement?.message || instance.rollout?.stopped || "";
}
