// What several views are made of.

import { h } from "./dom.js";
import { ago, date, words } from "./format.js";

export function panel(title, { note = null, tools = null, wide = false } = {}, ...children) {
  return h("section", { class: wide ? "panel wide" : "panel" },
    h("div", { class: "panel-head" }, h("h2", {}, title), note, tools && h("div", { class: "tools" }, tools)),
    ...children);
}

export function empty(text, ...commands) {
  return h("div", { class: "empty" }, h("p", {}, text),
    commands.length ? h("p", { class: "commands" }, commands.map((command) => h("code", {}, command))) : null);
}

export function chip(text, tone = "") {
  return h("span", { class: `chip ${tone}` }, text);
}

export function when(ms) {
  return h("time", { datetime: new Date(ms).toISOString(), title: date(ms), "data-ms": ms }, ago(ms));
}

export function kind(decision) {
  return h("span", { class: `kind ${decision.toLowerCase()}` }, decision.toLowerCase());
}

export const reason = (name) => chip(words(name));

export function score(value) {
  return h("span", { class: "score" },
    h("span", { class: "meter", "aria-hidden": "true" },
      h("span", { vars: { "--share": `${Math.min(100, 100 * value)}%` } })),
    h("span", { class: "figure" }, value.toFixed(3)));
}

export function choice(label, options, value, change) {
  const select = h("select", { "aria-label": label, onchange: () => change(select.value) },
    options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
  return select;
}

// Every age on the page, without drawing anything anew.
export function tickAges() {
  for (const node of document.querySelectorAll("time[data-ms]")) {
    const text = ago(Number(node.dataset.ms));
    if (node.textContent !== text) node.textContent = text;
  }
}
