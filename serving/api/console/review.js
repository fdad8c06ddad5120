// Payments that wait for a person. A verdict is a label on the topic; the row leaves when the label is read back.

import { h, keyed, put } from "./dom.js";
import { amount, count, figure, words } from "./format.js";
import { send } from "./live.js";
import { toast } from "./notices.js";
import { chip, empty, panel, reason, score, when } from "./pieces.js";

const SHOWN = 25;

function mount(root, live) {
  const queue = h("ul", { class: "queue", onkeydown: keys, onpointerleave: () => draw(), onfocusout: () => setTimeout(draw) });
  const newer = h("p", { class: "note newer", hidden: true });
  let shown = [];
  const waiting = h("div", {});
  const judged = h("div", {});
  const total = h("span", { class: "note" });
  root.append(
    panel("Review queue", { note: total, tools: h("span", { class: "hint" }, "keys ", h("kbd", {}, "↑"), h("kbd", {}, "↓"), " move, ", h("kbd", {}, "F"), " fraud, ", h("kbd", {}, "G"), " good") }, waiting),
    panel("Last verdicts", {}, judged));

  function draw() {
    const { reviews } = live.state;
    if (!reviews) return;
    total.textContent = reviews.waiting.length > SHOWN ? `newest ${SHOWN} of ${count(reviews.waiting.length)}` : `${count(reviews.waiting.length)} waiting`;
    // Rows must not move under a hand that is about to judge: what is newer waits until it has left.
    const known = new Set(shown.map((one) => one.event_id));
    const kept = reviews.waiting.filter((one) => known.has(one.event_id));
    const busy = kept.length > 0 && (queue.matches(":hover") || queue.contains(document.activeElement));
    shown = busy ? kept : reviews.waiting.slice(0, SHOWN);
    const above = busy ? reviews.waiting.indexOf(kept[0]) : 0;
    newer.hidden = above === 0;
    newer.textContent = `${count(above)} newer`;
    const held = [...queue.children].indexOf(document.activeElement?.closest?.(".queue > li"));
    keyed(queue, shown, (one) => one.event_id, row);
    if (reviews.waiting.length) {
      if (!queue.isConnected) put(waiting, newer, queue);
    } else {
      put(waiting, empty(live.problem("Kafka") || "Nothing waits. A payment comes here when its score lies above the review threshold, or a rule asks for it.",
        "sluice control thresholds --review 0.2", "sluice generate payments --start now --rate 50"));
    }
    // The row that had the focus is judged: the one in its place has it now.
    if (held >= 0 && !queue.contains(document.activeElement)) queue.children[Math.min(held, queue.children.length - 1)]?.focus();
    if (!reviews.verdicts.length) put(judged, empty("Verdicts given here or sent to the topic labels by others are listed here."));
    else put(judged, h("ul", { class: "verdicts" }, reviews.verdicts.map(verdict)));
  }

  return (section) => {
    if (section === "reviews" || section === "sources") draw();
  };
}

function row(one) {
  return h("li", { tabindex: 0, "data-id": one.event_id, "aria-label": `Payment of ${amount(one.amount)} by ${one.user_id} at ${one.merchant_id}` },
    h("div", { class: "sum" }, h("strong", { class: "figure" }, amount(one.amount)), when(one.event_time_ms)),
    h("div", { class: "who" }, h("span", { class: "id" }, one.user_id), h("span", { class: "muted" }, " at "), h("span", { class: "id" }, one.merchant_id),
      h("div", { class: "aside" }, [one.model, one.segment].filter(Boolean).join(" · "))),
    h("div", { class: "grounds" }, score(one.score),
      h("div", { class: "chips" }, (one.reasons ?? []).map(reason)),
      (one.rules ?? []).map((hit) => h("div", { class: "aside" }, `${words(hit.rule)}: ${figure(hit.observed ?? 0)}, limit ${figure(hit.limit ?? 0)}`))),
    h("div", { class: "verdict" },
      h("button", { type: "button", class: "fraud", onclick: (event) => judge(one, true, event.target) }, "Fraud"),
      h("button", { type: "button", class: "good", onclick: (event) => judge(one, false, event.target) }, "Good")));
}

function verdict(one) {
  const { payment } = one;
  return h("li", {},
    chip(one.is_fraud ? "fraud" : "good", one.is_fraud ? "bad" : "good"),
    h("span", { class: "figure" }, amount(payment.amount)),
    h("span", { class: "id" }, payment.user_id),
    h("span", { class: "muted grow" }, one.source, " · ", when(one.known_ms)),
    h("button", { type: "button", class: "quiet", onclick: (event) => judge(payment, !one.is_fraud, event.target) }, one.is_fraud ? "Change to good" : "Change to fraud"));
}

async function judge(payment, isFraud, button) {
  const buttons = button.closest("li").querySelectorAll("button");
  for (const one of buttons) one.disabled = true;
  try {
    await send("/labels", {
      user_id: payment.user_id,
      transaction_id: payment.event_id,
      transaction_time_ms: payment.event_time_ms,
      merchant_id: payment.merchant_id,
      is_fraud: isFraud,
      source: "review",
    });
    toast(`${isFraud ? "Fraud" : "Good"}: the verdict on ${amount(payment.amount)} of ${payment.user_id} is in the log`);
  } catch (error) {
    toast(error.message, "bad");
    for (const one of buttons) one.disabled = false;
  }
}

function keys(event) {
  const item = event.target.closest("li");
  const move = { ArrowDown: "nextElementSibling", j: "nextElementSibling", ArrowUp: "previousElementSibling", k: "previousElementSibling" }[event.key];
  if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
  if (move) {
    item[move]?.focus();
    event.preventDefault();
  } else if (event.key === "f" || event.key === "g") {
    const button = item.querySelector(event.key === "f" ? "button.fraud" : "button.good");
    item.focus();
    if (!button.disabled) button.click();
  }
}

export default { title: "Review", mount };
