// The frame: which view is shown, whether the stream is there, light or dark.

import { h, put } from "./dom.js";
import { Live } from "./live.js";
import { tickAges } from "./pieces.js";
import { notices } from "./notices.js";
import alerts from "./alerts.js";
import drift from "./drift.js";
import models from "./models.js";
import overview from "./overview.js";
import review from "./review.js";
import system from "./system.js";

const VIEWS = { overview, review, drift, models, alerts, system };
const THEMES = { auto: "◐", light: "☀", dark: "☾" };
const TURN = { auto: "light", light: "dark", dark: "auto" };

const live = new Live();
const main = document.getElementById("main");
let leave = null;

function show() {
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  const view = VIEWS[name] ?? overview;
  const shown = VIEWS[name] ? name : "overview";
  leave?.();
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.view === shown) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.querySelector("#nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  document.title = `${view.title} · Sluice`;
  main.setAttribute("aria-label", view.title);
  put(main, h("h1", { class: "hidden" }, view.title));
  const update = view.mount(main, live, rest);
  for (const section of Object.keys(live.state)) update(section);
  leave = live.on(update);
  window.scrollTo(0, 0);
}

function frame(name) {
  if (name === "connection") {
    const place = document.getElementById("connection");
    place.textContent = live.connected ? "live" : "reconnecting";
    place.className = `connection ${live.connected ? "up" : "down"}`;
  }
  if (name === "reviews") badge("review", live.state.reviews.waiting.length, "waiting");
  if (name === "alerts") badge("alerts", live.state.alerts.firing.length, "firing");
}

function badge(view, number, what) {
  const place = document.querySelector(`#nav a[data-view=${view}] .badge`);
  place.hidden = number === 0;
  put(place, String(number), h("span", { class: "hidden" }, ` ${what}`));
}

function theme(name) {
  const root = document.documentElement;
  if (name === "auto") delete root.dataset.theme;
  else root.dataset.theme = name;
  const button = document.getElementById("theme");
  button.textContent = THEMES[name];
  button.setAttribute("aria-label", `Colours: ${name}. Change to ${TURN[name]}`);
  button.title = `Colours: ${name}`;
  button.onclick = () => {
    localStorage.setItem("theme", TURN[name]);
    theme(TURN[name]);
  };
}

put(document.getElementById("nav"), Object.entries(VIEWS).map(([name, view]) =>
  h("a", { href: `#/${name}`, "data-view": name }, view.title, h("span", { class: "badge", hidden: true }))));
theme(THEMES[localStorage.getItem("theme")] ? localStorage.getItem("theme") : "auto");
document.getElementById("skip").onclick = () => main.focus();
notices(document.getElementById("toasts"), document.getElementById("sheet"));
live.on(frame);
addEventListener("hashchange", () => {
  show();
  main.focus({ preventScroll: true });
});
setInterval(tickAges, 5000);
show();
live.start();
