// Models by version and stage and how they do since, learners by what they measured of themselves, and what control changed.

import { Chart, legend, lines } from "./charts.js";
import { h, put } from "./dom.js";
import { count, date, figure, words } from "./format.js";
import { Performance } from "./performance.js";
import { chip, choice, empty, panel, when } from "./pieces.js";

const STAGES = { Production: "good", Candidate: "accent", Shadow: "accent", Staging: "accent" };
// What is worth a column, in this order, where a model has it; the rest can be chosen for the chart.
const FIRST = ["average_precision", "roc_auc", "recall_at_1pct_fpr", "brier", "calibration_error", "recall_at_10", "ndcg_at_20", "hit_rate_at_20"];
const COLUMNS = 4;
const SERIES = ["accent", "review", "block", "muted", "approve", "challenge"];

function mount(root, live) {
  const models = h("div", {});
  const learners = h("div", {});
  const changes = h("div", {});
  const metric = {};
  const performances = new Map();
  root.append(panel("Models", {}, models), panel("Learners", { note: h("span", { class: "note" }, "each example predicted before it is learned") }, learners), panel("Changes", { note: h("span", { class: "note" }, "of rules, thresholds and pointers") }, changes));

  function drawModels() {
    const shown = live.state.models?.models ?? [];
    if (!shown.length) {
      put(models, empty(live.problem("registry") || "The registry is empty. A training puts a model there, a promotion into force.", "sluice train fraud --help", "sluice models promote --help"));
      return;
    }
    put(models, shown.map((model) => (model.problem ? empty(model.problem) : one(model))));
  }

  // Kept while models are drawn anew: it asks for its own figures, when there are new reports.
  function performance(name) {
    if (!performances.has(name)) performances.set(name, new Performance(name));
    return performances.get(name).element;
  }

  function one(model) {
    const names = ordered(model.versions);
    const columns = names.slice(0, COLUMNS);
    const picked = metric[model.name] ?? names[0];
    const chart = new Chart();
    const versions = [...model.versions].reverse();
    const several = picked && model.versions.length > 1;
    if (several) chart.show((width) => lines(width, {
      label: `${titled(picked)} of ${model.name} by version`,
      series: [{ name: "", values: model.versions.map((version) => version.figures[picked] ?? null), tone: "accent" }],
      format: figure, height: 150, zero: false, xLabels: ends(model.versions.map((version) => `v${version.version}`)),
      at: (place) => `v${model.versions[place].version}`,
    }));
    return h("article", { class: "model" },
      h("div", { class: "model-head" }, h("h3", {}, model.name), h("span", { class: "note" }, model.task),
        h("span", { class: "grow" }), model.champion ? chip(`v${model.champion} in production`, "good") : chip("none in production", "warn")),
      h("div", { class: "model-body" },
        h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Versions of ${model.name}` }, h("table", {},
          h("thead", {}, h("tr", {}, ["Version", "Stage", "Trained to"].map((text) => h("th", { scope: "col" }, text)), columns.map((name) => h("th", { scope: "col", class: "right" }, titled(name))))),
          h("tbody", {}, versions.map((version) => h("tr", {},
            h("td", { class: "figure" }, `v${version.version}`), h("td", {}, chip(version.stage, STAGES[version.stage] ?? "")), h("td", { class: "muted" }, date(version.trained_to_ms)),
            columns.map((name) => h("td", { class: "figure right" }, version.figures[name] === undefined ? "–" : exact(version.figures[name])))))))),
        h("div", { class: "curve" },
          several ? choice(`Figure of ${model.name}`, names.map((name) => [name, titled(name)]), picked, (value) => {
            metric[model.name] = value;
            drawModels();
          }) : null,
          several ? chart.element : h("p", { class: "note" }, "A second version makes a curve."))),
      performance(model.name));
  }

  function drawLearners() {
    const shown = live.state.learners ?? [];
    if (!shown.length) {
      put(learners, empty(live.problem("Kafka") || "No learner has told of itself. Learners write snapshots with their prequential figures to the topic snapshots.", "sluice learn"));
      return;
    }
    const tasks = [...new Set(shown.map((learner) => learner.task))];
    put(learners, tasks.map((task) => curves(task, shown.filter((learner) => learner.task === task))));
  }

  function curves(task, ofTask) {
    const names = [...new Set(ofTask.flatMap((learner) => learner.points.flatMap((point) => Object.keys(point.metrics))))].sort();
    const key = `learners/${task}`;
    const picked = names.includes(metric[key]) ? metric[key] : names[0];
    const chart = new Chart();
    const most = Math.max(...ofTask.map((learner) => learner.points.at(-1).examples));
    const steps = 80;
    // One axis for all: what each had measured by then.
    const series = ofTask.slice(0, SERIES.length).map((learner, place) => ({
      name: learner.learner, tone: SERIES[place],
      values: Array.from({ length: steps }, (_, step) => {
        const upTo = ((step + 1) / steps) * most;
        const last = learner.points.findLast((point) => point.examples <= upTo);
        return last?.metrics[picked] ?? null;
      }),
    }));
    if (picked) chart.show((width) => lines(width, {
      label: `${words(picked)} of the learners of ${task} by examples`,
      series, format: figure, height: 220, zero: false, xLabels: [[0, "0", "start"], [0.5, count(most / 2)], [1, `${count(most)} examples`, "end"]],
      at: (place) => count(((place + 1) / steps) * most),
    }));
    return h("article", { class: "model" },
      h("div", { class: "model-head" }, h("h3", {}, words(task) || "learners"), h("span", { class: "grow" }),
        names.length ? choice(`Figure of ${task}`, names.map((name) => [name, words(name)]), picked, (value) => {
          metric[key] = value;
          drawLearners();
        }) : null),
      chart.element,
      h("ul", { class: "legend figures-of" }, ofTask.map((learner, place) => h("li", { class: SERIES[place] ?? "muted" },
        learner.learner, h("span", { class: "figure" }, figure(learner.points.at(-1).metrics[picked] ?? 0)),
        h("span", { class: "muted" }, `${count(learner.points.at(-1).examples)} examples, `, when(learner.points.at(-1).event_time_ms))))));
  }

  function drawChanges() {
    const shown = live.state.models?.changes ?? [];
    if (!shown.length) put(changes, empty("Rules, thresholds, lists and promotions that somebody publishes are listed here.", "sluice control list", "sluice control set-rule --help"));
    else put(changes, h("ul", { class: "verdicts" }, shown.slice(0, 12).map((change) => h("li", {}, chip(words(change.kind)), h("span", { class: "id" }, change.name),
      h("span", { class: "muted grow" }, [change.author, change.note].filter(Boolean).join(": ")), when(change.event_time_ms)))));
  }

  return (section) => {
    if (section === "models" || section === "sources") {
      drawModels();
      drawChanges();
    }
    if (section === "drift") for (const one of performances.values()) one.ask();
    if (section === "learners" || section === "sources") drawLearners();
  };
}

function ordered(versions) {
  const names = [...new Set(versions.flatMap((version) => Object.keys(version.figures)))];
  const rank = (name) => (FIRST.indexOf(name.split(".").at(-1)) + FIRST.length + 1) % (FIRST.length + 1);
  return names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

const titled = (name) => words(name).replace(".", ": ");
const exact = (value) => (Number.isInteger(value) ? count(value) : value.toFixed(4));

function ends(names) {
  if (names.length < 2) return [[0.5, names[0] ?? ""]];
  return [[0, names[0], "start"], [1, names.at(-1), "end"]];
}

export default { title: "Models", mount };
