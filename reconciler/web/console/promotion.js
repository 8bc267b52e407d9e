import { ago, element, mark, short, waitingWord } from "./element.js";

// stand is the text of a cell about a rollout: that it is under way and has not reached this cluster, came back, or stopped.
export function stand(instance, placement) {
  const rollout = instance.rollout;
  if (!rollout || !placement) return null;
  if (rollout.stopped) return element("span", { class: "flag failed", title: rollout.stopped }, "stopped");
  if ((rollout.pending || []).includes(placement.cluster)) return element("span", { class: "flag", title: "its wave is still to come" }, "waits for its wave");
  if (rollout.cause === "rollback") return element("span", { class: "flag failed", title: latest(instance) }, "rolled back");
  return element("span", { class: "flag", title: `${rollout.cause}, not healthy in all waves yet` }, "rolling out");
}

function latest(instance) {
  const f = (instance.rejected || []).at(-1);
  return f ? describe(f) : "";
}

// A message that names the object names its cluster, too: a release that failed on one is rejected on all.
const describe = (f) => (f.object && f.message.includes(f.object) ? f.message : [f.cluster, f.object, f.message].filter(Boolean).join(": "));

// next is the release that waits to enter, with the gates that keep it out.
export function next(instance) {
  const gates = instance.waiting || [];
  if (gates.length === 0) return null;
  const what = instance.candidate ? (instance.candidate.absent ? "removal" : instance.candidate.version) : "change";
  return element("div", { class: "next", title: gates.map((g) => `${g.gate}: ${g.reason}`).join("\n") },
    mark(waitingWord(instance)), element("span", { class: "version" }, what), " ", gates.map((g) => g.gate).join(", "),
    gates.find((g) => g.at) ? [" ", ago(gates.find((g) => g.at).at)] : null);
}

// promotion shows in full the gates that an instance waits for, how far its rollout is, its failures, its debts and the
// gates that it passed.
export function promotion(instance, environment) {
  return [waits(instance), rollout(instance, environment), rejected(instance), debts(instance), passed(instance)].flat();
}

const change = (d) => `${d.field}: ${!d.before ? d.after : !d.after ? `no longer ${d.before}` : `${d.before} → ${d.after}`}`;

function waits(instance) {
  const gates = instance.waiting || [];
  if (gates.length === 0) return null;
  const c = instance.candidate;
  const what = !c ? (instance.rollout ? "Its rollout" : "A change of the environment") : c.absent ? "Its removal" : `Release ${short(c.release)}, ${c.version},`;
  return [element("h3", {}, `${what} waits`), instance.skipped ? element("p", { class: "quiet" }, `It overtook ${instance.skipped} older.`) : null,
    c?.changes?.length ? element("ul", { class: "changes" }, c.changes.map((d) => element("li", {}, element("code", {}, change(d))))) : null,
    element("ul", { class: "gates" }, gates.map((g) => element("li", {},
      element("strong", {}, g.gate), `: ${g.reason}`,
      element("div", { class: "quiet" }, g.since ? ["since ", ago(g.since)] : "", g.opens ? ` · opens: ${g.opens}` : "",
        g.at ? [" · opens by itself ", ago(g.at)] : "")))),
    c && gates.some((g) => g.gate === "approval" || g.gate === "rejected") ? element("p", { class: "quiet promote" },
      element("code", {}, `transom promote ${instance.request.team}/${instance.request.name} -e ${instance.environment}`), " writes the Approval") : null];
}

function rollout(instance, environment) {
  const r = instance.rollout;
  if (!r) return null;
  const wave = new Map((environment?.clusters || []).map((c) => [c.name, c.wave]));
  const pending = new Set(r.pending || []);
  return [element("h3", {}, r.cause === "rollback" ? "Rolled back" : `Rollout: ${r.cause}`),
    r.stopped ? element("p", { class: "why failed" }, element("strong", {}, "Stopped"), `: ${r.stopped}`) : null,
    element("ul", { class: "objects" }, (instance.placements || []).map((p) => element("li", {},
      mark(pending.has(p.cluster) ? "Waiting" : p.health), element("span", { class: "kind" }, p.cluster),
      element("span", {}, [wave.get(p.cluster) && `wave ${wave.get(p.cluster)}`, pending.has(p.cluster) ? `still ${p.version || "what it had"}` : `has ${p.version || instance.version}`]
        .filter(Boolean).join(": "))))),
    r.entered ? element("p", { class: "quiet" }, "entered ", ago(r.entered)) : null];
}

function rejected(instance) {
  const told = new Set();
  const list = (instance.rejected || []).toReversed().filter((f) => {
    const key = `${f.release} ${describe(f)}`;
    return !told.has(key) && told.add(key);
  });
  if (list.length === 0) return null;
  return [element("h3", {}, "Rejected here"), element("ul", { class: "problems" }, list.map((f) => element("li", {},
    element("code", {}, `${f.version || ""} ${short(f.release)}`), element("span", {}, describe(f)), f.at ? [" ", ago(f.at)] : null)))];
}

function debts(instance) {
  if (!instance.debts?.length) return null;
  return [element("h3", {}, "Decisions that bind it"), element("ul", { class: "gates" }, instance.debts.map((d) => element("li", {}, d)))];
}

// Of a rollout over many instances, the record has the group's name.
const figure = (g) => (g.gate !== "rollout" ? g.figure : g.figure?.startsWith("environment:") ? "of what the environment changed" : `of ${g.figure?.replace("version:", "")}`);

function passed(instance) {
  const lines = [
    instance.promotedFrom?.length ? `promoted from ${instance.promotedFrom.join(", ")}` : "",
    ...(instance.gates || []).map((g) => [g.gate, figure(g), g.decision && `by ${g.decision}`, g.author].filter(Boolean).join(", ")),
    ...(instance.proven || []).filter((p) => p.release === instance.release).slice(-1).map((p) => `proven here: healthy for ${p.soaked}`),
  ].filter(Boolean);
  if (lines.length === 0) return null;
  return [element("h3", {}, "How it came here"), element("ul", { class: "gates" }, lines.map((l) => element("li", {}, l)))];
}
