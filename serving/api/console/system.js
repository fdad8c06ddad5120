// Jobs between the topics they read and write, the processes behind them, and what could not be processed.

import { spark } from "./charts.js";
import { h, keyed, put } from "./dom.js";
import { count, figure, millis, words } from "./format.js";
import { ask, send } from "./live.js";
import { toast } from "./notices.js";
import { chip, empty, panel, when } from "./pieces.js";

const REKEY = "wrong_key";

function mount(root, live) {
  const jobs = h("div", {});
  const parts = h("div", {});
  const letters = h("div", {});
  const waiting = h("span", { class: "note" });
  let topology = [];
  root.append(panel("Jobs", { note: h("span", { class: "note" }, "what they read, how far behind they are, what they write") }, jobs), panel("Processes", {}, parts), panel("Dead letters", { note: waiting }, letters));
  ask("/console/topology.json").then((known) => {
    topology = known;
    drawJobs();
  }).catch((error) => toast(error.message, "bad"));

  function drawJobs() {
    const running = live.state.jobs?.jobs ?? [];
    const names = [...new Set([...topology.map((job) => job.name), ...running.map((job) => job.name)])];
    const problem = live.problem("Prometheus");
    put(jobs, problem ? h("p", { class: "problem" }, problem) : null, h("div", { class: "flow" }, names.map((name) => {
      const drawn = topology.find((job) => job.name === name);
      return lane(name, drawn?.reads ?? [], drawn?.writes ?? [], running.find((job) => job.name === name));
    })));
  }

  function drawParts() {
    const shown = live.state.jobs?.parts ?? [];
    if (!shown.length) put(parts, empty(live.problem("Prometheus") || "Prometheus has seen no process yet.", "sluice up"));
    else put(parts, h("ul", { class: "parts" }, shown.map((part) => h("li", { class: part.up ? "up" : "down" }, h("span", {}, part.job), h("span", { class: "muted figure" }, part.instance), h("span", { class: "grow" }), part.up ? "up" : "down"))));
  }

  const list = h("ul", { class: "letters" });

  function drawLetters() {
    const shown = live.state.letters;
    if (!shown) return;
    const total = Object.values(shown.waiting).reduce((sum, one) => sum + one, 0);
    waiting.textContent = total ? Object.entries(shown.waiting).map(([reason, number]) => `${count(number)} ${words(reason)}`).join(", ") : "none waits";
    if (!shown.letters.length) {
      put(letters, empty(live.problem("Kafka") || "No dead letter. A record that a job can not process is kept on the topic dead-letters, whole, with the reason.", "sluice dead-letters list"));
      return;
    }
    keyed(list, shown.letters, (letter) => letter.event_id, letterRow);
    if (!list.isConnected) put(letters, list);
  }

  return (section) => {
    if (section === "jobs" || section === "sources") {
      drawJobs();
      drawParts();
    }
    if (section === "letters" || section === "sources") drawLetters();
  };
}

function lane(name, reads, writes, job) {
  const figures = job?.figures ?? {};
  const up = figures.running === 1;
  const rate = figures.events_per_s ?? figures.lists_per_s;
  return h("article", { class: `lane ${up ? "" : "off"}` },
    h("ul", { class: "topics", "aria-label": "reads" }, reads.map((topic) => h("li", {}, topic))),
    h("div", { class: "job" },
      h("div", { class: "job-head" }, h("h3", {}, name), chip(up ? "running" : job ? "not running" : "not submitted", up ? "good" : job ? "bad" : "")),
      up ? h("dl", {},
        stat("behind", figures.lag_records === undefined ? "–" : count(figures.lag_records)),
        stat("events/s", rate === undefined ? "–" : figure(rate)),
        stat("restarts", count(figures.restarts ?? 0)),
        stat("checkpoint", figures.checkpoint_ms === undefined ? "–" : millis(figures.checkpoint_ms)),
        job.lags.length > 1 ? h("div", { class: "lag" }, h("dt", {}, "lag, 10 min"), h("dd", {}, spark(job.lags))) : null)
        : h("p", { class: "commands" }, h("code", {}, job ? "sluice doctor" : `sluice submit ${name}`))),
    h("ul", { class: "topics", "aria-label": "writes" }, writes.map((topic) => h("li", {}, topic))));
}

function stat(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", { class: "figure" }, value));
}

function letterRow(letter) {
  const { source } = letter;
  const needsKey = letter.reason === REKEY;
  return h("li", {},
    h("div", { class: "letter-head" }, chip(words(letter.reason), letter.replayed_ms ? "" : "warn"), h("span", { class: "grow" }, letter.detail),
      letter.replayed_ms ? h("span", { class: "muted" }, "played back ", when(letter.replayed_ms)) : h("button", { type: "button", class: "quiet", onclick: (event) => replay(letter, event.target) }, needsKey ? "Play back with its user as key" : "Play back")),
    h("p", { class: "aside" }, `${source.topic}, partition ${source.partition}, offset ${source.offset} · ${letter.job} · ${count(letter.bytes)} bytes · `, when(letter.event_time_ms)),
    letter.preview ? h("details", {}, h("summary", {}, "Record"), h("pre", { tabindex: 0 }, letter.preview)) : null);
}

async function replay(letter, button) {
  button.disabled = true;
  try {
    const done = await send(`/dead-letters/${encodeURIComponent(letter.event_id)}/replay`, { rekey: letter.reason === REKEY });
    if (done.topic) toast(`Played back to ${done.topic}`);
    else toast(done.left ?? "It was played back before", done.left ? "bad" : "");
    if (!done.topic) button.disabled = false;
  } catch (error) {
    toast(error.message, "bad");
    button.disabled = false;
  }
}

export default { title: "System", mount };
