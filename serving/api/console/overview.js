// What happens now.

import { Chart, legend, lines, spark } from "./charts.js";
import { h, keyed, put } from "./dom.js";
import { amount, count, figure, millis, share, time, words } from "./format.js";
import { chip, empty, kind, panel, score } from "./pieces.js";

const TONES = { APPROVE: "approve", REVIEW: "review", CHALLENGE: "challenge", BLOCK: "block" };
const NEWEST = 12;

function mount(root, live) {
  const figures = h("dl", { class: "figures" });
  const rate = new Chart();
  const latency = new Chart();
  const kinds = h("div", { class: "kinds" });
  const rows = h("tbody", {});
  const table = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Newest decisions" },
    h("table", { class: "newest" },
      h("thead", {}, h("tr", {}, ["Time", "Decision", "Amount", "Score", "User", "Merchant", "Why"].map((text) => h("th", { scope: "col" }, text)))),
      rows));
  const newest = h("div", {});
  const firing = h("div", {});
  root.append(
    figures,
    h("div", { class: "columns" },
      panel("Decisions per second", { note: h("span", { class: "note" }, "last 3 minutes") }, rate.element),
      panel("Latency", { note: legend([["p99", "accent"], ["p50", "muted"]]) }, latency.element)),
    h("div", { class: "columns narrow-first" },
      h("div", { class: "stack" },
        panel("By kind", { note: h("span", { class: "note" }, "last 3 minutes") }, kinds),
        panel("Firing now", {}, firing)),
      panel("Newest decisions", {}, newest)));

  function drawFigures() {
    const { traffic, reviews, alerts, jobs } = live.state;
    if (!traffic) return;
    const p99 = traffic.latency_ms.p99;
    const lags = jobs?.jobs.filter((job) => job.figures.lag_records !== undefined) ?? [];
    const lag = lags.reduce((sum, job) => sum + job.figures.lag_records, 0);
    const critical = alerts?.firing.filter((alert) => alert.severity === "critical").length ?? 0;
    put(figures,
      tile("Decisions per second", figure(traffic.per_s), "mean of 10 s", "#/overview"),
      tile("Latency p99", p99 === undefined ? "–" : millis(p99), `budget ${traffic.budget_ms} ms`, "#/overview",
        p99 === undefined ? "" : p99 <= traffic.budget_ms ? "good" : "bad"),
      tile("Waiting for review", count(reviews?.waiting.length ?? 0), "open the queue", "#/review"),
      tile("Alerts firing", count(alerts?.firing.length ?? 0), critical ? `${critical} critical` : "none critical", "#/alerts",
        critical ? "bad" : ""),
      tile("Records behind", lags.length ? count(lag) : "–", lags.length ? lags.length === 1 ? "1 job" : `${lags.length} jobs` : "no job runs", "#/system"));
  }

  function drawTraffic() {
    const { traffic } = live.state;
    const totals = traffic.counts[0].map((_, second) => traffic.counts.reduce((sum, one) => sum + one[second], 0));
    const first = traffic.second - totals.length;
    const xLabels = [[0, "3 min ago", "start"], [1 / 3, "2 min"], [2 / 3, "1 min"], [1, "now", "end"]];
    rate.show((width) => lines(width, {
      label: `Decisions per second over 3 minutes: now ${figure(traffic.per_s)}, at most ${Math.max(...totals)}`,
      series: [{ name: "", values: totals, tone: "accent", area: true }],
      format: figure, floor: 4, xLabels, at: (place) => time((first + place) * 1000),
    }));
    const points = traffic.latency;
    latency.show((width) => lines(width, {
      label: `Latency over 3 minutes: p99 ${traffic.latency_ms.p99 ?? "unknown"} ms, p50 ${traffic.latency_ms.p50 ?? "unknown"} ms, budget ${traffic.budget_ms} ms`,
      series: [
        { name: "p50", values: points.map((point) => point.p50), tone: "muted" },
        { name: "p99", values: points.map((point) => point.p99), tone: "accent" },
      ],
      format: (value) => millis(value).replace(".0 ", " "), log: true, floor: 1000, least: 10, xLabels,
      budget: { value: traffic.budget_ms, text: `p99 budget ${traffic.budget_ms} ms` },
      at: (place) => time(points[place].second * 1000),
    }));
    const all = totals.reduce((sum, one) => sum + one, 0);
    put(kinds, traffic.kinds.map((name, place) => {
      const values = binned(traffic.counts[place], 5);
      const sum = traffic.counts[place].reduce((total, one) => total + one, 0);
      return h("div", { class: "kind-row" },
        kind(name),
        spark(values, { width: 64, tone: TONES[name] }),
        h("span", { class: "figure" }, count(sum)),
        h("span", { class: "figure muted" }, all ? share(sum / all) : "–"));
    }));
  }

  function drawFiring() {
    const shown = live.state.alerts?.firing ?? [];
    put(firing, shown.length
      ? h("ul", { class: "brief" }, shown.slice(0, 4).map((alert) => h("li", {}, h("a", { href: "#/alerts" }, alert.name), chip(alert.severity, { critical: "bad", high: "bad", warning: "warn" }[alert.severity] ?? ""), h("p", {}, alert.summary))))
      : h("p", { class: "note" }, live.problem("Alertmanager") || "Nothing."));
  }

  function drawNewest() {
    const { decisions } = live.state;
    if (!decisions?.length) {
      put(newest, empty(live.problem("Kafka") || "No decision yet. They appear here as the scoring job writes them to the topic decisions.",
        "sluice submit score_transactions", "sluice generate payments --start now --rate 50"));
      return;
    }
    if (!table.isConnected) put(newest, table);
    keyed(rows, decisions.slice(0, NEWEST), (one) => one.event_id, (one) => h("tr", {},
      h("td", { class: "figure muted" }, time(one.event_time_ms)),
      h("td", {}, kind(one.decision), one.late ? h("span", { class: "aside" }, "late") : null, one.repeat ? h("span", { class: "aside" }, "repeat") : null),
      h("td", { class: "figure" }, amount(one.amount)),
      h("td", {}, score(one.score)),
      h("td", { class: "id" }, one.user_id),
      h("td", { class: "id" }, one.merchant_id),
      h("td", { class: "why" }, one.reasons?.length ? one.reasons.map(words).join(", ") : "–")));
  }

  return (section) => {
    if (["traffic", "reviews", "alerts", "jobs"].includes(section)) drawFigures();
    if (section === "traffic") drawTraffic();
    if (section === "alerts" || section === "sources") drawFiring();
    if (section === "decisions" || section === "sources") drawNewest();
  };
}

function tile(label, value, note, href, tone = "") {
  return h("div", { class: "tile" }, h("dt", {}, label), h("dd", { class: `value ${tone}` }, value),
    h("dd", { class: "note" }, href === "#/overview" ? note : h("a", { href }, note)));
}

function binned(values, size) {
  return Array.from({ length: Math.floor(values.length / size) }, (_, bin) => values.slice(bin * size, (bin + 1) * size).reduce((sum, one) => sum + one, 0));
}

export default { title: "Overview", mount };
