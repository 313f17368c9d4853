// The pieces that all views are made of: sections, notes, figures, badges.
import { h } from "./dom.js";

/** A section with its heading. `note` stands below the heading, `aside` beside it. */
export function section(id, title, { note: words = null, aside = null } = {}, ...children) {
  const heading = h("h2", { id: `${id}-title` }, title, words && note(words));
  return h("section", { "aria-labelledby": `${id}-title` },
    aside ? h("div", { class: "heading" }, heading, aside) : heading, children);
}

/** Words that explain, small. */
export const note = (...words) => h("span", { class: "note" }, words);

/** A paragraph that says that there is nothing, or explains. */
export const quiet = (...words) => h("p", { class: "quiet" }, words);

/** An address, a hash: `title` is all of it where less is shown. */
export const code = (text, title = null) => h("span", { class: "address", title }, text);

/** A link whose words say little without `says`. */
export const step = (href, says, words) => h("a", { href, "aria-label": says }, words);

/** Links to the day before and after; `at(period)` is the address of a half-hour's day. */
export function dayLinks(at, [from, to]) {
  return h("nav", { class: "pager", "aria-label": "Days" },
    step(at(from - 1), "Day before", "Before"), step(at(to + 1), "Day after", "After"));
}

/** Figures with their names, large. `entries`: [[name, value, explanation or null], ...]. */
export function tiles(...entries) {
  return h("dl", { class: "tiles" }, entries.filter(Boolean).map(([name, value, says]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, h("span", { class: "value" }, value), says && note(says)))));
}

/** Facts in lines: [[name, value], ...]. */
export function facts(...entries) {
  return h("dl", { class: "facts" }, entries.filter(Boolean).map(([name, value]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** A word with a mark before it, so that it does not rest on colour alone. */
export const badge = ([word, says], kind) => h("span", { class: `badge ${kind}`, title: says }, word);
