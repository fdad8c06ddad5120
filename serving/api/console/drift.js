// What drifts: a map of subjects over windows; a cell opens the two distributions behind it.

import { Chart, histogram, legend } from "./charts.js";
import { h, put } from "./dom.js";
import { count, date, day, figure, hour, share, span, words } from "./format.js";
import { ask } from "./live.js";
import { chip, choice, empty, panel, when } from "./pieces.js";

const TONES = { none: "good", moderate: "warn", significant: "bad" };

function mount(root, live) {
  const tools = h("div", { class: "tools" });
  const place = h("div", { class: "map" });
  const detail = h("div", { class: "detail", "aria-live": "polite" });
  let maps = [];
  let chosen = null;
  let cell = null;
  let asked = 0;
  root.append(h("div", { class: "columns drift" },
    panel("Drift", { note: legend([["none", "level-none"], ["moderate", "level-moderate"], ["significant", "level-significant"]]), tools }, place),
    panel("Distribution", {}, detail)));
  showNothing();

  function showNothing() {
    put(detail, empty("Choose a window in the map: the reference from training and what came in that window appear here."));
  }

  function choose() {
    const names = [...new Set(maps.map((map) => map.model))];
    // The one told of last: reports of days tell of versions that answer nothing any more.
    const model = chosen?.model ?? maps.reduce((a, b) => (b.window_end_ms > a.window_end_ms ? b : a)).model;
    const ofModel = maps.filter((map) => map.model === model);
    const segments = [...new Set(ofModel.map((map) => map.segment))];
    const segment = segments.includes(chosen?.segment) ? chosen.segment : segments[0];
    const paces = ofModel.filter((map) => map.segment === segment).map(({ span_ms, every_ms }) => ({ span_ms, every_ms }));
    chosen = { model, segment, ...(paces.find((one) => one.span_ms === chosen?.span_ms && one.every_ms === chosen?.every_ms) ?? paces[0]) };
    const change = (key) => (value) => {
      chosen = { ...chosen, ...(key === "pace" ? paces[Number(value)] : { [key]: value }) };
      cell = null;
      showNothing();
      choose();
      drawMap();
    };
    // A list that somebody has open must not be made anew.
    const text = JSON.stringify([names, segments, paces, chosen]);
    if (tools.dataset.text === text) return;
    tools.dataset.text = text;
    put(tools,
      choice("Model", names.map((name) => [name, name]), model, change("model")),
      segments.length > 1 ? choice("Segment", segments.map((name) => [name, name || "everybody"]), segment, change("segment")) : null,
      paces.length > 1 ? choice("Windows", paces.map((one, place) => [String(place), pace(one)]), String(paces.findIndex((one) => pace(one) === pace(chosen))), change("pace")) : null);
  }

  async function drawMap() {
    const turn = (asked += 1);
    let map;
    try {
      map = await ask(`/drift?${new URLSearchParams(chosen)}`);
    } catch (error) {
      if (turn === asked) put(place, problem(error));
      return;
    }
    if (turn !== asked) return;
    const begun = map.every_ms < 86_400_000 ? hour : day;
    const held = document.activeElement?.dataset?.cell;
    const table = h("table", { class: "heat", onkeydown: keys },
      h("caption", { class: "hidden" }, `Drift of ${map.model} by subject and window; arrow keys move, Enter opens`),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", { class: "hidden" }, "Subject")),
        map.windows_ms.map((end, i) => h("th", { scope: "col" }, i % 4 === (map.windows_ms.length - 1) % 4 ? begun(end) : h("span", { class: "hidden" }, begun(end)))))),
      h("tbody", {}, map.rows.map((row) => h("tr", {},
        h("th", { scope: "row", title: row.name }, title(row)),
        map.windows_ms.map((end) => h("td", {}, button(row, row.cells.find((one) => one.window_end_ms === end))))))));
    const first = table.querySelector("tbody td:last-child button") ?? table.querySelector("tbody button");
    first?.setAttribute("tabindex", 0);
    const scroll = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Map of drift" }, table);
    const left = place.querySelector(".scroll")?.scrollLeft;
    put(place, scroll);
    scroll.scrollLeft = left ?? scroll.scrollWidth;
    if (cell === null && map.rows.length) first?.click();
    if (held) focus(table, table.querySelector(`[data-cell="${CSS.escape(held)}"]`));
  }

  function button(row, one) {
    if (!one) return null;
    const id = `${row.subject}/${row.name}/${one.window_end_ms}`;
    const said = `${row.name}, ${date(one.window_end_ms)}: ${words(one.measure)} ${figure(one.value)} of ${figure(one.limit)}, ${one.level}`;
    return h("button", {
      type: "button", class: `cell ${one.level}`, vars: { "--ratio": Math.min(1, one.nearness).toFixed(2) }, tabindex: -1, "data-cell": id,
      "aria-label": said, title: said, "aria-pressed": String(cell === id), onclick: (event) => open(row, one, event.currentTarget, id, event.isTrusted),
    });
  }

  // The first cell opens by itself, without taking the focus from where a person has it.
  async function open(row, one, node, id, byHand) {
    cell = id;
    for (const other of place.querySelectorAll("[aria-pressed=true]")) other.setAttribute("aria-pressed", "false");
    node.setAttribute("aria-pressed", "true");
    if (byHand) focus(node.closest("table"), node);
    let reports;
    try {
      ({ reports } = await ask(`/drift/reports?${new URLSearchParams({ ...chosen, subject: row.subject, name: row.name, window_end_ms: one.window_end_ms })}`));
    } catch (error) {
      if (cell === id) put(detail, problem(error));
      return;
    }
    if (cell !== id || !reports.length) return;
    drawDetail(reports);
    if (byHand && matchMedia("(max-width: 900px)").matches) detail.scrollIntoView({ block: "center" });
  }

  function drawDetail(reports) {
    const loudest = reports[0];
    const drawn = reports.find((report) => report.current?.length && report.reference?.length);
    const chart = new Chart();
    put(detail,
      h("div", { class: "detail-head" }, h("h3", {}, loudest.name), chip(loudest.level, TONES[loudest.level])),
      h("p", { class: "note" }, `${date(loudest.window_start_ms)} to ${hour(loudest.window_end_ms)}, ${count(loudest.samples)} samples`,
        loudest.since_ms ? [", at this level ", when(loudest.since_ms)] : null),
      drawn ? [legend([["in this window", "accent"], ["reference", "outline"]]), chart.element] : empty("This measure compares no distributions."),
      h("table", { class: "measures" },
        h("thead", {}, h("tr", {}, ["Measure", "Value", "Limit", "p", "Level"].map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", {}, reports.map((report) => h("tr", {},
          h("td", {}, words(report.measure)), h("td", { class: "figure" }, figure(report.value)), h("td", { class: "figure" }, figure(report.limit)),
          h("td", { class: "figure" }, report.p_value === undefined || report.p_value === null ? "–" : figure(report.p_value)),
          h("td", {}, chip(report.level, TONES[report.level])))))),
      loudest.action ? h("p", { class: "note" }, `Response: ${words(loudest.action)}`) : null);
    if (drawn) {
      chart.show((width) => histogram(width, {
        label: `Distribution of ${loudest.name}: reference ${drawn.reference.map(share).join(", ")}; in this window ${drawn.current.map(share).join(", ")}`,
        reference: drawn.reference, current: drawn.current, names: bins(drawn), format: (value) => `${figure(100 * value)} %`,
      }));
    }
  }

  return (section) => {
    if (section !== "drift" && section !== "sources") return;
    maps = live.state.drift ?? [];
    if (!maps.length) {
      put(place, empty(live.problem("Kafka") || "No drift report yet. The job watch_drift compares what the models see with what they were trained on, and reports each window.",
        "sluice submit watch_drift"));
    } else if (section === "drift") {
      choose();
      drawMap();
    }
  };
}

// Windows that overlap are told by how often they come, too: a day each hour is the running day.
function pace({ span_ms, every_ms }) {
  return every_ms === span_ms ? `windows of ${span(span_ms)}` : `windows of ${span(span_ms)}, every ${span(every_ms)}`;
}

function problem(error) {
  return h("p", { class: "problem" }, error.message);
}

function title(row) {
  if (row.subject === "feature") return row.name;
  return row.name === row.subject || !row.name ? words(row.subject) : `${words(row.subject)} · ${words(row.name)}`;
}

// Bins are named by where they begin; inner edges leave the first and the last bin open.
function bins(report) {
  const { edges = [] } = report;
  const number = report.current.length;
  if (edges.length === number + 1) return edges.slice(0, -1).map(figure);
  if (edges.length === number - 1) return [`≤ ${figure(edges[0] ?? 0)}`, ...edges.map(figure)].map((name, bin) => (bin && bin === number - 1 ? `> ${name}` : name));
  return Array.from({ length: number }, (_, bin) => String(bin + 1));
}

function focus(table, node) {
  if (!node) return;
  for (const other of table.querySelectorAll("button[tabindex='0']")) other.tabIndex = -1;
  node.tabIndex = 0;
  node.focus();
}

function keys(event) {
  const cell = event.target.closest("td");
  if (!cell) return;
  const row = cell.parentElement;
  const place = [...row.children].indexOf(cell);
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const step = steps[event.key];
  if (!step) return;
  event.preventDefault();
  const rows = [...row.parentElement.children];
  const next = rows[rows.indexOf(row) + step[0]]?.children[place + step[1]]?.querySelector("button");
  if (next) focus(event.currentTarget, next);
}

export default { title: "Drift", mount };
