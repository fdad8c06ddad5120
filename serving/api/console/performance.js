// How a model does over time: what labels said of its days, and the estimate until they do.

import { Chart, legend, lines } from "./charts.js";
import { h, put } from "./dom.js";
import { day, figure, words } from "./format.js";
import { ask } from "./live.js";
import { choice } from "./pieces.js";

const DAY_MS = 86_400_000;

export class Performance {
  constructor(model) {
    this.model = model;
    this.element = h("div", { class: "performance" });
    this.tools = h("div", { class: "tools" });
    this.place = h("div", {});
    this.chart = new Chart();
    this.chosen = "";
    this.asked = 0;
    this.element.append(h("div", { class: "model-head" }, h("h4", {}, "In production, day by day"), h("span", { class: "grow" }), this.tools), this.place);
    this.ask();
  }

  async ask() {
    const turn = (this.asked += 1);
    let found;
    try {
      found = await ask(`/drift/performance?${new URLSearchParams({ model: this.model, figure: this.chosen })}`);
    } catch (error) {
      if (turn === this.asked) put(this.place, h("p", { class: "problem" }, error.message));
      return;
    }
    if (turn === this.asked) this.draw(found);
  }

  draw({ figure: name, figures, days }) {
    this.choose(name, figures);
    if (!days.length) {
      put(this.place, h("p", { class: "note" }, "No day is told yet. The job watch_drift estimates a day when it is over, and tells it again once its labels had their time."));
      return;
    }
    const axis = everyDay(days);
    const values = (read) => axis.map((one) => (one ? read(one) : null));
    const bound = (sign) => values((one) => (one.estimated === null || one.error === null ? null : one.estimated + sign * one.error));
    const bounded = days.some((one) => one.estimated !== null && one.error !== null);
    const realised = days.findLast((one) => one.realised !== null);
    const estimated = days.findLast((one) => one.estimated !== null);
    const { limit, version } = days.at(-1);
    const said = [
      realised ? `labels say ${figure(realised.realised)} of ${day(realised.window_end_ms - 1)}` : "no label has had its time",
      estimated ? `the estimate of ${day(estimated.window_end_ms - 1)} is ${figure(estimated.estimated)}${estimated.error === null ? "" : `, ${figure(estimated.error)} off in the mean`}` : null,
    ].filter(Boolean).join("; ");
    this.chart.show((width) => lines(width, {
      label: `${words(name)} of ${this.model} over ${axis.length} days: ${said}`,
      series: [
        ...(bounded ? [-1, 1].map((sign) => ({ name: "", values: bound(sign), tone: "review bound", unnamed: true })) : []),
        { name: "estimate", values: values((one) => one.estimated), tone: "review" },
        { name: "labels", values: values((one) => one.realised), tone: "accent" },
      ],
      format: figure, height: 170, zero: false, budget: limit > 0 ? { value: limit, text: `limit of v${version} ${figure(limit)}` } : null,
      xLabels: days.length < 2 ? [[0.5, day(days[0].window_end_ms - 1)]] : [[0, day(days[0].window_end_ms - 1), "start"], [1, day(days.at(-1).window_end_ms - 1), "end"]],
      at: (place) => (axis[place] ? `${day(axis[place].window_end_ms - 1)}, v${axis[place].version}` : ""),
    }));
    put(this.place,
      legend([["what labels said", "accent"], ["estimate without labels", "review"]]),
      this.chart.element,
      h("p", { class: "note" }, `${said[0].toUpperCase()}${said.slice(1)}.${bounded ? " Dotted: the estimate with its error." : ""}`));
  }

  choose(name, figures) {
    // A list that somebody has open must not be made anew.
    const text = JSON.stringify(figures);
    if (this.tools.dataset.text === text) return;
    this.tools.dataset.text = text;
    put(this.tools, figures.length > 1 ? choice(`Figure of ${this.model} in production`, figures.map((one) => [one, words(one)]), name, (value) => {
      this.chosen = value;
      this.ask();
    }) : null);
  }
}

// A place for each day from the first to the last; undefined where nothing is told of it.
function everyDay(days) {
  const known = new Map(days.map((one) => [one.window_end_ms, one]));
  const first = days[0].window_end_ms;
  return Array.from({ length: Math.round((days.at(-1).window_end_ms - first) / DAY_MS) + 1 }, (_, place) => known.get(first + place * DAY_MS));
}
