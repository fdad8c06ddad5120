// Short messages, and one sheet for what needs more room.

import { h, put } from "./dom.js";

const SHOWN_MS = 6000;
let toasts;
let sheet;

export function notices(toastPlace, dialog) {
  toasts = toastPlace;
  sheet = dialog;
  document.getElementById("sheet-close").onclick = () => sheet.close();
  sheet.addEventListener("click", (event) => {
    if (event.target === sheet) sheet.close();
  });
}

export function toast(text, tone = "") {
  const node = h("p", { class: `toast ${tone}` }, text);
  toasts.append(node);
  while (toasts.childElementCount > 3) toasts.firstElementChild.remove();
  setTimeout(() => node.remove(), SHOWN_MS);
}

export function open(title, ...content) {
  document.getElementById("sheet-title").textContent = title;
  put(document.getElementById("sheet-body"), ...content);
  sheet.showModal();
}
