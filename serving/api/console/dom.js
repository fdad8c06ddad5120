// Elements without a framework. Text goes in as text, so nothing that an event holds is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function put(parent, ...children) {
  parent.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return parent;
}

// Children by key: a node whose item is as it was stays, and with it focus and hover.
export function keyed(parent, items, keyOf, render) {
  const known = parent.keyed ?? new Map();
  const next = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const text = JSON.stringify(item);
    const before = known.get(key);
    next.set(key, before?.text === text ? before : { text, node: render(item) });
  }
  parent.keyed = next;
  const wanted = [...next.values()].map((one) => one.node);
  const held = new Set(wanted);
  for (const node of [...parent.childNodes]) if (!held.has(node)) node.remove();
  wanted.forEach((node, place) => {
    if (parent.childNodes[place] !== node) parent.insertBefore(node, parent.childNodes[place] ?? null);
  });
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.setAttribute("class", value);
    else if (name === "vars") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}
