// All households, and the way to one of them by its address.
import { address } from "../addresses.js";
import { h } from "../dom.js";
import { section } from "../parts.js";
import { isAddress, person } from "../people.js";
import { money, number, pager, table } from "../table.js";
import { grouped } from "../units.js";

/** `list`: a page of the API's accounts, null where an address was asked for that nobody has. */
export function finder({ list, asked }, { units, parameters }) {
  const why = isAddress(asked) ? `nobody of the address ${asked} was seen by the market.`
    : "an address begins with 0x and has 40 hexadecimal digits after it.";
  return [
    h("h1", { tabindex: "-1" }, "Households"),
    asked && h("p", { class: "notice warning" }, h("strong", {}, "Not found: "), why),
    h("form", { class: "row", role: "search", submit: go },
      h("label", { for: "wanted" }, "Address of a household"),
      h("input", { id: "wanted", name: "wanted", autocomplete: "off", spellcheck: "false", placeholder: "0x…" }),
      h("button", {}, "Show")),
    list ? everybody(list, units, parameters) : h("p", {}, h("a", { href: "#/household" }, "All households")),
  ];
}

function go(event) {
  event.preventDefault();
  const wanted = event.currentTarget.elements.wanted.value.trim();
  if (wanted) location.hash = `#/household/${encodeURIComponent(wanted)}`;
}

function everybody(list, units, parameters) {
  return section("all", "All of them", {},
    table({ id: "accounts", caption: `Households (${grouped(list.total)})`, rows: list.items,
      empty: "No household is registered yet.",
      columns: [
        { name: "Household", head: true, of: (one) => person(one.address) },
        number("Tier", (one) => String(one.tier)),
        number("Good performances", (one) => grouped(one.performances)),
        number("Defaults", (one) => grouped(one.defaults)),
        number("Waivers", (one) => grouped(one.waivers)),
        money(units, "Free money", (one) => one.balance),
        { name: "Authorised", of: (one) => (one.authorized ? "yes" : "no") },
      ] }),
    pager(list, "households", (page) => address("household", parameters, { page })));
}
