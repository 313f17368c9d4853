// Builds elements. Whatever comes from the API goes in as text: nothing here, or elsewhere, reads a string as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. `attributes`: true sets one without a value, null and false leave it out, a function listens. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (isGiven(value)) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter(isGiven));
  return element;
}

const isGiven = (value) => value !== null && value !== undefined && value !== false;

/** Puts new children into a container, and leaves alone what did not change.
 *
 * Keyboard focus, opened details and scrolled boxes stay where they were. An element that is kept keeps its listeners,
 * too: these must not rely on the data of one drawing.
 */
export function swap(container, ...children) {
  const fresh = children.flat(Infinity).filter(Boolean);
  const focused = container.contains(document.activeElement) ? keyOf(container, document.activeElement) : null;
  const scrolled = [...container.querySelectorAll(".scroll[id]")].map((box) => [box.id, box.scrollLeft, box.scrollTop]);
  for (const details of container.querySelectorAll("details[id]")) {
    for (const node of fresh) node.querySelector(`#${CSS.escape(details.id)}`)?.toggleAttribute("open", details.open);
  }
  const old = [...container.children];
  fresh.forEach((node, at) => {
    if (at >= old.length) container.append(node);
    else if (!old[at].isEqualNode(node)) old[at].replaceWith(node);
  });
  old.slice(fresh.length).forEach((node) => node.remove());
  for (const [id, left, top] of scrolled) document.getElementById(id)?.scrollTo({ left, top, behavior: "instant" });
  if (focused && !container.contains(document.activeElement)) {
    candidates(container).find((element) => keyOf(container, element) === focused)?.focus({ preventScroll: true });
  }
}

const FOCUSED = "a[href], button, input, summary, [tabindex]";

const candidates = (container) => [...container.querySelectorAll(FOCUSED)];

/** What tells an element that can have the focus from the others, now and after the next drawing. */
function keyOf(container, element) {
  const plain = (one) => `${one.tagName} ${one.id} ${one.getAttribute("href")} ${one.textContent}`;
  if (element.id) return `#${element.id}`;
  const alike = candidates(container).filter((one) => plain(one) === plain(element));
  return `${plain(element)} ${alike.indexOf(element)}`;
}

const HEARD = 10_000; // milliseconds after which nobody still waits to hear it
let lastSaid = "";

/** Says something to a screen reader, once. The same words again are not said again. */
export function announce(text) {
  if (text === lastSaid) return;
  lastSaid = text;
  const region = document.getElementById("announced");
  region.textContent = text;
  setTimeout(() => region.textContent === text && region.replaceChildren(), HEARD);
}
