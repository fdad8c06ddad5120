// Charts as SVG in real pixels, so that text keeps its size; drawn again when their place changes its width.

import { h, put, s } from "./dom.js";

const LEFT = 48;
const RIGHT = 8;
const TOP = 10;
const BOTTOM = 20;

// A place for a chart: `draw(width)` gives its nodes.
export class Chart {
  constructor(label) {
    this.element = h("figure", { class: "chart" });
    this.label = label;
    this.draw = null;
    this.width = 0;
    new ResizeObserver(([entry]) => {
      if (Math.abs(entry.contentRect.width - this.width) < 1) return;
      this.width = entry.contentRect.width;
      this.redraw();
    }).observe(this.element);
  }

  show(draw) {
    this.draw = draw;
    this.redraw();
  }

  redraw() {
    if (this.draw && this.width > 0) put(this.element, this.draw(Math.floor(this.width)));
  }
}

// Lines over one x axis. `series`: {name, values (null = gap), tone, area, unnamed (not said at the cursor)}; `xLabels`: [[share of the width, text]].
export function lines(width, { label, series, format, height = 180, log = false, budget = null, floor = 0, least = Infinity, xLabels = [], at = null, zero = true }) {
  const shown = series.flatMap((one) => one.values).filter((value) => value !== null);
  const extent = budget === null ? shown : [...shown, budget.value];
  const y = scale(extent, height, { log, floor, least, zero });
  const inner = width - LEFT - RIGHT;
  const x = (place, length) => LEFT + (length < 2 ? inner / 2 : (place / (length - 1)) * inner);
  const drawing = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  for (const tick of y.ticks) {
    drawing.append(
      s("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
      s("text", { class: "tick", x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, format(tick)));
  }
  for (const [place, text, anchor] of xLabels) {
    drawing.append(s("text", { class: "tick", x: LEFT + place * inner, y: height - 4, "text-anchor": anchor ?? "middle" }, text));
  }
  if (budget !== null) {
    drawing.append(s("line", { class: "budget", x1: LEFT, x2: width - RIGHT, y1: y(budget.value), y2: y(budget.value) }));
  }
  for (const one of series) {
    const points = one.values.map((value, place) => (value === null ? null : [x(place, one.values.length), y(value)]));
    if (one.area) drawing.append(s("path", { class: `area ${one.tone}`, d: area(points, height - BOTTOM) }));
    drawing.append(s("path", { class: `line ${one.tone}`, d: path(points) }));
    const alone = points.filter((point, place) => point && !points[place - 1] && !points[place + 1]);
    for (const [cx, cy] of alone) drawing.append(s("circle", { class: `dot ${one.tone}`, cx, cy, r: 2.5 }));
  }
  if (budget !== null) {
    // Over the lines, or they would cross it out.
    drawing.append(s("text", { class: "budget-label", x: width - RIGHT, y: y(budget.value) - 5, "text-anchor": "end" }, budget.text));
  }
  if (at !== null && shown.length) cursor(drawing, { width, height, inner, series, format, at, y });
  return drawing;
}

// The reference as outlines and what is now as filled bars, bin by bin.
export function histogram(width, { label, reference, current, names, height = 190, format }) {
  const y = scale([...reference, ...current, 0.01], height, { floor: 0, zero: true });
  const bins = Math.max(reference.length, current.length);
  const step = (width - LEFT - RIGHT) / bins;
  const base = height - BOTTOM;
  const drawing = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  for (const tick of y.ticks) {
    drawing.append(
      s("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
      s("text", { class: "tick", x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, format(tick)));
  }
  const gap = Math.min(6, step * 0.18);
  for (let bin = 0; bin < bins; bin += 1) {
    const left = LEFT + bin * step + gap / 2;
    const wide = Math.max(1, step - gap);
    const now = current[bin] ?? 0;
    const then = reference[bin] ?? 0;
    drawing.append(
      s("rect", { class: "bar", x: left, y: y(now), width: wide, height: Math.max(0, base - y(now)) },
        s("title", {}, `${names[bin] ?? bin + 1}: ${format(now)} now, ${format(then)} in the reference`)),
      s("path", { class: "outline", d: `M${left} ${base}V${y(then)}H${left + wide}V${base}` }));
  }
  const every = Math.ceil(bins / Math.max(2, Math.floor((width - LEFT) / 64)));
  names.forEach((name, bin) => {
    if (bin % every === 0) drawing.append(s("text", { class: "tick", x: LEFT + (bin + 0.5) * step, y: height - 4, "text-anchor": "middle" }, name));
  });
  return drawing;
}

// A line as small as a word.
export function spark(values, { width = 96, height = 22, tone = "accent" } = {}) {
  const top = Math.max(...values, 1e-9);
  const points = values.map((value, place) => [(place / Math.max(1, values.length - 1)) * (width - 2) + 1, height - 2 - (value / top) * (height - 4)]);
  return s("svg", { class: "spark", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    s("path", { class: `area ${tone}`, d: area(points, height - 1) }), s("path", { class: `line ${tone}`, d: path(points) }));
}

export function legend(entries) {
  return h("ul", { class: "legend" }, entries.map(([text, tone]) => h("li", { class: tone }, text)));
}

function cursor(drawing, { width, height, inner, series, format, at, y }) {
  const length = series[0].values.length;
  const rule = s("line", { class: "cursor", y1: TOP, y2: height - BOTTOM, visibility: "hidden" });
  const text = s("text", { class: "cursor-label", y: TOP + 2, visibility: "hidden" });
  drawing.append(rule, text);
  drawing.addEventListener("pointermove", (event) => {
    const left = event.clientX - drawing.getBoundingClientRect().left;
    const place = Math.round(Math.min(1, Math.max(0, (left - LEFT) / inner)) * (length - 1));
    const x = LEFT + (length < 2 ? inner / 2 : (place / (length - 1)) * inner);
    const said = series.filter((one) => !one.unnamed).map((one) => (one.values[place] === null ? null : `${one.name} ${format(one.values[place])}`)).filter(Boolean);
    rule.setAttribute("x1", x);
    rule.setAttribute("x2", x);
    text.setAttribute("x", x > width / 2 ? x - 6 : x + 6);
    text.setAttribute("text-anchor", x > width / 2 ? "end" : "start");
    text.textContent = [at(place), ...said].join("  ");
    for (const node of [rule, text]) node.setAttribute("visibility", said.length ? "visible" : "hidden");
  });
  drawing.addEventListener("pointerleave", () => {
    for (const node of [rule, text]) node.setAttribute("visibility", "hidden");
  });
}

function scale(values, height, { log = false, floor = 0, least = Infinity, zero = true }) {
  const low = values.length ? Math.min(...values, least) : 0;
  const high = Math.max(...values, floor, 1e-9);
  const up = (share) => height - BOTTOM - share * (height - BOTTOM - TOP);
  if (log) {
    const [from, to] = [Math.floor(Math.log10(Math.max(1, low))), Math.max(Math.ceil(Math.log10(high)), Math.floor(Math.log10(Math.max(1, low))) + 1)];
    const place = (value) => up((Math.log10(Math.max(value, 10 ** from)) - from) / (to - from));
    place.ticks = Array.from({ length: to - from + 1 }, (_, power) => 10 ** (from + power));
    return place;
  }
  const bottom = zero ? 0 : low - (high - low) * 0.08;
  const step = pleasant((high - bottom || high) / 4);
  const first = zero ? 0 : Math.floor(bottom / step) * step;
  const last = Math.max(first + step, Math.ceil((high - 1e-12) / step) * step);
  const place = (value) => up((value - first) / (last - first));
  place.ticks = Array.from({ length: Math.round((last - first) / step) + 1 }, (_, tick) => Number((first + tick * step).toPrecision(12)));
  return place;
}

function pleasant(step) {
  const size = 10 ** Math.floor(Math.log10(step));
  return size * ([1, 2, 2.5, 5, 10].find((one) => step <= one * size) ?? 10);
}

function path(points) {
  return points.map((point, place) => (point ? `${points[place - 1] ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}` : "")).join("");
}

function area(points, base) {
  let drawn = "";
  points.forEach((point, place) => {
    if (!point) return;
    if (!points[place - 1]) drawn += `M${point[0].toFixed(1)} ${base}`;
    drawn += `L${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    if (!points[place + 1]) drawn += `V${base}Z`;
  });
  return drawn;
}
