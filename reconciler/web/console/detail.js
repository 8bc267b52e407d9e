import { ago, element, mark, short, verdict } from "./element.js";
import { promotion } from "./promotion.js";

// detail fills the dialog with all that is known of one instance, seen from one cluster.
export function detail(dialog, instance, placement, trace, environment) {
  const word = verdict(instance, placement);
  const { team, name } = instance.request;
  dialog.replaceChildren(element("div", {},
    element("form", { method: "dialog" }, element("button", { class: "close", "aria-label": "Close" }, "×")),
    element("h2", { id: "detail-title" }, mark(word), `${team}/${name}`),
    element("p", { class: "quiet" }, placement ? `on ${placement.cluster} in ${instance.environment}` : `in ${instance.environment}`),
    element("p", { class: `why ${word.toLowerCase()}` }, element("strong", {}, instance.absent ? "Removing" : word),
      placement?.message ? `: ${placement.message}` : ""),
    problems(instance, placement),
    adoption(instance, placement),
    placement ? steps(placement) : null,
    promotion(instance, environment),
    facts(instance, placement),
    placement?.objects?.length ? objects(placement.objects) : null,
    trace ? origin(trace) : null,
    element("h3", {}, "On the command line"),
    element("pre", {}, `transom status ${team}/${name}\n${["explain", "history"].map((verb) => `transom ${verb} ${team}/${name} --environment ${instance.environment}`).join("\n")}`)));
}

function problems(instance, placement) {
  const items = [
    ...(instance.problems || []).map((p) => [at(p), p.message]),
    ...(placement?.problems || []).map((p) => [p.object, p.message]),
    ...(placement?.drift || []).map((p) => [p.object, `drift: ${p.message}`]),
  ];
  if (!items.length) return null;
  return element("ul", { class: "problems" }, items.map(([where, message]) =>
    element("li", {}, element("code", {}, where), element("span", {}, message))));
}

// adoption shows the effects of taking over objects, and the objects that were let go.
function adoption(instance, placement) {
  const waits = placement?.adoption, gone = placement?.letGo;
  if (!waits && !gone?.length) return null;
  return [waits ? [element("h3", {}, "Its adoption waits, and nothing is written"),
    element("ul", { class: "changes" }, [...waits.effects, ...(waits.untried || [])].map((line) => element("li", {}, line))),
    element("p", { class: "quiet promote" }, element("code", {}, `transom promote --adoption ${waits.digest} -e ${instance.environment}`), " writes the Approval")] : null,
  gone?.length ? element("p", { class: "quiet" }, `Let go: ${gone.join(", ")}`) : null].flat();
}

export function at(problem) {
  return [problem.file, problem.line, problem.line ? problem.column : 0].filter(Boolean).join(":") + (problem.field ? `: ${problem.field}` : "");
}

// steps is the way down, each with its time where one is known.
function steps(placement) {
  const order = ["Rendered", "Committed", "Applied", "Healthy"];
  const times = { Committed: placement.committedAt, Applied: placement.appliedAt, Healthy: placement.healthyAt };
  const reached = order.indexOf(placement.stage);
  return element("ol", { class: "steps" }, order.map((stage, i) =>
    element("li", { class: i <= reached ? "reached" : "ahead", "aria-current": i === reached ? "step" : null },
      element("span", {}, stage), i <= reached && times[stage] ? ago(times[stage]) : null)));
}

function facts(instance, placement) {
  const outputs = Object.entries(instance.outputs || {}).map(([k, v]) => [k, typeof v === "string" ? v : JSON.stringify(v)]);
  const list = [
    ["Offering", instance.offering && `${instance.offering} ${instance.version || ""}`],
    ["Request", instance.file],
    ["Platform commit", short(instance.commit)],
    ["State commit", short(placement?.stateCommit)],
    ["Images", placement?.images?.join(", ")],
    ...(instance.display || []).map((p) => [p.name, p.value]),
    ["Revision", short(placement?.revision)],
    ["Release", short(instance.release)],
    ...outputs,
  ].filter(([, value]) => value);
  return element("dl", { class: "facts" }, list.flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, value)]));
}

function objects(list) {
  return [element("h3", {}, `Objects (${list.length})`),
    element("ul", { class: "objects" }, list.map((o) =>
      element("li", {}, mark(o.health), element("span", { class: "kind" }, o.kind), element("span", {}, o.name),
        element("span", { class: "quiet" }, [o.health === "Healthy" ? "" : o.health, o.message].filter(Boolean).join(": ")))))];
}

// origin leads from the release that runs back to the person who asked for it.
function origin(trace) {
  const rungs = [["State", trace.state], ["Platform", trace.platform], ["Request", trace.requestFile], ["Version", trace.version]].filter(([, o]) => o?.commit);
  return [element("h3", {}, "Where it comes from"),
    element("ol", { class: "origin" }, rungs.map(([title, o]) =>
      element("li", {}, element("strong", {}, title), " ", element("code", {}, short(o.commit)), " ", o.subject || "",
        element("div", { class: "quiet" }, [o.line ? `${o.file}:${o.line}` : o.file, o.author].filter(Boolean).join(" · "), o.when ? [" · ", ago(o.when)] : ""))))];
}
