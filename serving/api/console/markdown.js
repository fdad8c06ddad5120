// As much Markdown as runbooks use: headings, lists, code, paragraphs. What it does not know stays text.

import { h } from "./dom.js";

export function markdown(text) {
  const root = h("div", { class: "prose" });
  const lines = text.split("\n");
  let list = null;
  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i];
    const heading = /^(#{1,4}) (.*)/.exec(line);
    const item = /^(?:[-*]|\d+\.) (.*)/.exec(line);
    if (!item) list = null;
    if (line.startsWith("```")) {
      const end = lines.findIndex((other, place) => place > i && other.startsWith("```"));
      const until = end < 0 ? lines.length : end;
      root.append(h("pre", { tabindex: 0 }, h("code", {}, lines.slice(i + 1, until).join("\n"))));
      i = until;
    } else if (heading) root.append(h(`h${Math.min(6, heading[1].length + 2)}`, {}, inline(heading[2])));
    else if (item) {
      list ??= root.appendChild(h(/^\d/.test(line) ? "ol" : "ul"));
      list.append(h("li", {}, inline(item[1])));
    } else if (line.trim()) root.append(h("p", {}, inline(line)));
  }
  return root;
}

function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`") && part.length > 1) return h("code", {}, part.slice(1, -1));
    return part.startsWith("**") && part.length > 4 ? h("strong", {}, part.slice(2, -2)) : part.replace(/\[([^\]]+)\]\([^)]*\)/g, "$1");
  });
}
