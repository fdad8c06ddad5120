// What a person should know of, and what to do about it.

import { h, keyed, put } from "./dom.js";
import { amount, date, figure, share, words } from "./format.js";
import { ask } from "./live.js";
import { markdown } from "./markdown.js";
import { open, toast } from "./notices.js";
import { chip, empty, panel, when } from "./pieces.js";

function mount(root, live) {
  const firing = h("ul", { class: "alerts" });
  const now = h("div", {});
  const over = h("div", {});
  root.append(panel("Firing", {}, now), panel("Resolved", { note: h("span", { class: "note" }, "newest first") }, over));

  return (section) => {
    if (section !== "alerts" && section !== "sources") return;
    const { alerts } = live.state;
    if (!alerts) return;
    keyed(firing, alerts.firing, identity, shown);
    const silent = ["Kafka", "Prometheus", "Alertmanager"].map((name) => live.problem(name)).filter(Boolean);
    put(now, silent.map((problem) => h("p", { class: "problem" }, problem)),
      alerts.firing.length ? firing : empty("Nothing fires. Rules of Prometheus and alerts of the stream appear here within seconds.", "sluice doctor"));
    put(over, alerts.resolved.length
      ? h("ul", { class: "verdicts" }, alerts.resolved.map((alert) => h("li", {}, chip("resolved", "good"), h("span", {}, alert.name),
        h("span", { class: "muted grow" }, alert.summary), when(alert.resolved_ms))))
      : empty("What was over since this page's server started is listed here."));
  };
}

function identity(alert) {
  return `${alert.name} ${JSON.stringify(alert.labels)}`;
}

function shown(alert) {
  const labels = Object.entries(alert.labels);
  return h("li", { class: alert.severity },
    h("div", { class: "alert-head" }, chip(alert.severity || "alert", { critical: "bad", high: "bad", warning: "warn" }[alert.severity] ?? ""), h("h3", {}, alert.name),
      h("span", { class: "grow" }), h("span", { class: "muted" }, "since ", h("time", { datetime: new Date(alert.since_ms).toISOString() }, date(alert.since_ms)))),
    h("p", {}, alert.summary),
    alert.limit ? h("p", { class: "note" }, `value ${figure(alert.value)}, limit ${figure(alert.limit)}`) : null,
    alert.causes.length ? h("div", { class: "causes" }, h("h4", {}, "Likely causes"), h("ol", {}, alert.causes.slice(0, 5).map((cause) => h("li", {},
      h("span", {}, words(cause.name)), h("span", { class: "meter", "aria-hidden": "true" }, h("span", { vars: { "--share": `${Math.min(100, 100 * cause.share)}%` } })),
      h("span", { class: "figure" }, share(cause.share)), h("span", { class: "figure muted" }, cause.money ? amount(cause.money) : ""))))) : null,
    alert.action ? h("p", { class: "action" }, h("span", { class: "muted" }, "First: "), alert.action) : null,
    h("div", { class: "alert-foot" }, labels.map(([name, value]) => h("span", { class: "label" }, `${name} ${value}`)), h("span", { class: "grow" }),
      alert.runbook ? h("button", { type: "button", class: "quiet", onclick: () => runbook(alert.runbook) }, "Runbook") : null));
}

async function runbook(name) {
  try {
    open(words(name), markdown(await ask(`/runbooks/${encodeURIComponent(name)}`)));
  } catch (error) {
    toast(error.message, "bad");
  }
}

export default { title: "Alerts", mount };
