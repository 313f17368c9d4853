// Tables that a screen reader can read, and their pages.
import { h } from "./dom.js";

/** A table in a box that scrolls sideways where it is too wide.
 *
 * `columns`: [{ name, of: row => node or text, number: right-aligned, head: names its row }]; `empty`: the sentence instead.
 */
export function table({ id, caption, columns, rows, empty, note = null }) {
  if (!rows.length) return h("div", { class: "block" }, h("h3", {}, caption), h("p", { class: "quiet" }, empty));
  const kind = (column) => (column.number ? "number" : null);
  return h("div", { class: "scroll", id, role: "region", tabindex: "0", "aria-labelledby": `${id}-caption` },
    h("table", {},
      h("caption", {}, h("span", { class: "caption", id: `${id}-caption` }, caption), note && h("span", { class: "note" }, note)),
      h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: kind(column) }, column.name)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, columns.map((column) =>
        column.head ? h("th", { scope: "row", class: kind(column) }, column.of(row)) : h("td", { class: kind(column) }, column.of(row))))))));
}

// Columns of amounts: their unit stands in the head.
export const moneyColumn = (units, name, of) => ({ name: `${name} (${units.moneyUnit})`, number: true, of: (row) => units.bareMoney(of(row)) });
export const priceColumn = (units, name, of) => ({ name: `${name} (${units.priceUnit})`, number: true, of: (row) => units.barePrice(of(row)) });
export const energyColumn = (units, name, of) => ({ name: `${name} (${units.energyUnit})`, number: true, of: (row) => units.bareEnergy(of(row)) });

/** Links to the pages of a list of the API; nothing where there is one page. `address(page)`: where a page is. */
export function pager(list, what, address) {
  if (list.pages <= 1) return null;
  const step = (page, words) => page >= 1 && page <= list.pages
    ? h("a", { href: address(page), "aria-label": `${words} page of ${what}` }, words)
    : h("span", { class: "quiet", "aria-hidden": "true" }, words);
  return h("nav", { class: "pager", "aria-label": `Pages of ${what}` },
    step(list.page - 1, "Previous"), h("span", {}, `page ${list.page} of ${list.pages}`), step(list.page + 1, "Next"));
}

/** Figures with their names, large. `entries`: [[name, value, explanation or null], ...]. */
export function tiles(entries) {
  return h("dl", { class: "tiles" }, entries.filter(Boolean).map(([name, value, says]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, h("span", { class: "value" }, value), says && h("span", { class: "note" }, says)))));
}

/** A word with a mark before it, so that it does not rest on colour alone. */
export function badge([word, says], kind) {
  return h("span", { class: `badge ${kind}`, title: says }, word);
}
