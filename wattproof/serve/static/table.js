// Tables that a screen reader can read, and their pages.
import { h } from "./dom.js";
import { note, quiet, step } from "./parts.js";

/** A table in a box that scrolls sideways where it is too wide.
 *
 * columns   [{ name, of: row => node or text, number: right-aligned, head: names its row }]
 * empty     the sentence that stands there instead of no rows
 */
export function table({ id, caption, columns, rows, empty = "", says = null }) {
  if (!rows.length) return h("div", { class: "block" }, h("h3", {}, caption), quiet(empty));
  return framed(id, caption, says,
    h("thead", {}, h("tr", {}, columns.map((one) => h("th", { scope: "col", class: classOf(one) }, one.name)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, columns.map((column) => cell(column, row))))));
}

/** A table with these head and body. */
export function framed(id, caption, says, head, body) {
  const title = `${id}-caption`;
  const words = h("caption", {}, h("span", { class: "caption", id: title }, caption), says && note(says));
  return h("div", { class: "scroll", id, role: "region", tabindex: "0", "aria-labelledby": title },
    h("table", {}, words, head, body));
}

const classOf = (column) => (column.number ? "number" : null);

function cell(column, row) {
  if (column.head) return h("th", { scope: "row", class: classOf(column) }, column.of(row));
  return h("td", { class: classOf(column) }, column.of(row));
}

/** A column of numbers. */
export const number = (name, of) => ({ name, of, number: true });

// Columns of amounts: their unit stands in the head. `of` gives null where there is none.
export const money = (units, name, of) => number(`${name} (${units.moneyUnit})`, (row) => units.bareMoney(of(row)));
export const price = (units, name, of) => number(`${name} (${units.priceUnit})`, (row) => units.barePrice(of(row)));
export const energy = (units, name, of) => number(`${name} (${units.energyUnit})`, (row) => units.bareEnergy(of(row)));

/** Links to the pages of a list of the API; nothing where there is one page. `address(page)`: where a page is. */
export function pager(list, what, address) {
  if (list.pages <= 1) return null;
  const link = (page, words) => page >= 1 && page <= list.pages
    ? step(address(page), `${words} page of ${what}`, words)
    : h("span", { class: "quiet", "aria-hidden": "true" }, words);
  return h("nav", { class: "pager", "aria-label": `Pages of ${what}` },
    link(list.page - 1, "Previous"), h("span", {}, `page ${list.page} of ${list.pages}`), link(list.page + 1, "Next"));
}
