// A household's own view: its bill, what it saved and could save, its standing, its money, its bids, quotes and defaults.
import { MAX_PAGE, find, get } from "../api.js";
import { chart } from "../charts.js";
import { h } from "../dom.js";
import { isAddress, nameOf, person, setName, short } from "../people.js";
import { couldSave } from "../saving.js";
import { badge, energyColumn, moneyColumn, pager, priceColumn, table, tiles } from "../table.js";
import { day, hour, moment, span } from "../times.js";
import { big, grouped, percent } from "../units.js";
import { DISCOUNT, KIND, QUOTE, ROLE, TIERS } from "../words.js";
import { bidsTable, changed, periodsOfDay, whole } from "./community.js";
import { slotsOf } from "./day.js";

export const TITLE = "A household";
const ROWS = 10;
const LISTED = 20;

export async function load({ argument, parameters, status }) {
  if (!isAddress(argument)) {
    return { list: await get("accounts", { role: "household", per_page: LISTED, page: whole(parameters.get("page")) ?? 1 }), asked: argument };
  }
  const account = await find(`accounts/${argument}`);
  if (!account) return { asked: argument, list: null };
  const address = account.address;
  const shown = whole(parameters.get("period")) ?? (await lastDealt(address)) ?? status.period;
  const [from, to] = periodsOfDay(shown, status.tariff.period_length);
  const page = (name) => ({ per_page: ROWS, page: whole(parameters.get(name)) ?? 1 });
  const range = { from_period: from, to_period: to };
  const [all, ofDay, bills, periods, bids, quotes, purchases, defaults] = await Promise.all([
    get("bills", { household: address }), get("bills", { household: address, ...range }),
    get("bills", { household: address, by: "period", ...range, per_page: MAX_PAGE, order: "asc" }),
    get("periods", { ...range, per_page: MAX_PAGE, order: "asc" }),
    get("bids", { bidder: address, ...page("bids") }), get("quotes", { prosumer: address, ...page("quotes") }),
    get("trades", { buyer: address, ...page("purchases") }),
    get("defaults", { user: address, ...page("defaults") })]);
  const length = status.tariff.period_length;
  const rows = bills.items.map((row) => ({ ...row, starts: row.period * length, ends: (row.period + 1) * length }));
  return { account, from, to, all: all.items[0] ?? null, ofDay: ofDay.items[0] ?? null, bills: rows, periods: periods.items, bids, quotes, purchases, defaults };
}

/** The last half-hour in which it dealt with neighbours, else the last one on its bill; undefined without a bill. */
async function lastDealt(household) {
  const last = (await get("bills", { household, by: "period", per_page: MAX_PAGE })).items;
  return (last.find((row) => row.bought_wh || row.sold_wh) ?? last[0])?.period;
}

export function draw(data, context) {
  if (!data.account) return finder(data, context);
  const { account } = data;
  const name = nameOf(account.address);
  return [
    h("h1", { tabindex: "-1" }, name || `${ROLE[account.role]?.split(" ")[0] ?? "Account"} ${short(account.address)}`),
    h("p", { class: "address whole" }, account.address),
    naming(account.address, name),
    bill(data, context),
    standing(account),
    money(account, context),
    h("section", { "aria-labelledby": "dealings-title" }, h("h2", { id: "dealings-title" }, "Its dealings"), ...dealings(data, context)),
  ];
}

// ---- finding one ---------------------------------------------------------------------

function finder({ list, asked }, { units, parameters }) {
  return [
    h("h1", { tabindex: "-1" }, "Households"),
    asked && h("p", { class: "notice warning" }, h("strong", {}, "Not found: "), isAddress(asked) ? `nobody of the address ${asked} was seen by the market.` : "an address begins with 0x and has 40 hexadecimal digits after it."),
    h("form", { class: "row", role: "search", submit: go },
      h("label", { for: "wanted" }, "Address of a household"), h("input", { id: "wanted", name: "wanted", autocomplete: "off", spellcheck: "false", placeholder: "0x…" }), h("button", {}, "Show")),
    list ? h("section", { "aria-label": "All households" },
      table({ id: "accounts", caption: `Households (${grouped(list.total)})`, rows: list.items, empty: "No household is registered yet.",
        columns: [
          { name: "Household", head: true, of: (one) => person(one.address) },
          { name: "Tier", number: true, of: (one) => String(one.tier) },
          { name: "Good performances", number: true, of: (one) => grouped(one.performances) },
          { name: "Defaults", number: true, of: (one) => grouped(one.defaults) },
          { name: "Waivers", number: true, of: (one) => grouped(one.waivers) },
          moneyColumn(units, "Free money", (one) => one.balance),
          { name: "Authorised", of: (one) => (one.authorized ? "yes" : "no") },
        ] }),
      pager(list, "households", (page) => `#/household?${changed(parameters, { page })}`)) : h("p", {}, h("a", { href: "#/household" }, "All households")),
  ];
}

function go(event) {
  event.preventDefault();
  const wanted = event.currentTarget.elements.wanted.value.trim();
  if (wanted) location.hash = `#/household/${encodeURIComponent(wanted)}`;
}

function naming(address, name) {
  return h("details", { id: "naming" }, h("summary", {}, name ? "Change its name" : "Give it a name"),
    h("form", { class: "row", "data-address": address, submit: rename },
      h("label", { for: "own-name" }, "Name, kept in this browser only"), h("input", { id: "own-name", name: "name", value: name, maxlength: "40", autocomplete: "off" }), h("button", {}, "Keep")));
}

function rename(event) {
  event.preventDefault();
  const form = event.currentTarget;
  setName(form.dataset.address, form.elements.name.value);
  dispatchEvent(new Event("redraw"));
}

// ---- the bill ------------------------------------------------------------------------

function bill(data, context) {
  const { account, from, to, all, ofDay, bills } = data;
  const { status, units } = context;
  const at = (period) => `#/household/${account.address}?period=${period}`;
  return h("section", { "aria-labelledby": "bill-title" },
    h("div", { class: "heading" },
      h("h2", { id: "bill-title" }, "Bill", h("span", { class: "note" }, day(from * status.tariff.period_length))),
      h("nav", { class: "pager", "aria-label": "Days" }, h("a", { href: at(from - 1), "aria-label": "Day before" }, "Before"), h("a", { href: at(to + 1), "aria-label": "Day after" }, "After"))),
    all ? [summary(data, context), billTable(ofDay, all, units),
      bills.length > 0 && [bills.some((row) => big(row.saving)) && savingChart(bills, [from * status.tariff.period_length, (to + 1) * status.tariff.period_length], context), perHalfHour(bills, units)]]
      : h("p", { class: "quiet" }, "Its meter has not reported yet, so there is no bill."));
}

function summary({ all, ofDay, bills, periods, account }, { units, status }) {
  const could = couldSave(bills, periods, account.tier, status.tariff);
  const part = (row) => (row && big(row.grid_alone) > 0n ? `${percent(big(row.saving), big(row.grid_alone))} of ${units.money(row.grid_alone)} with the grid alone` : "against the grid alone");
  return [tiles([
    ["Saved on this day", units.money(ofDay?.saving ?? null), part(ofDay)],
    ["Saved in all", units.money(all.saving), part(all)],
    ["Could have saved more", units.money(could.saving), "on this day"]]),
    h("p", {}, could.saving ? `${told(could, units)} At the half-hours' mean prices, and with the fee of today's tier, that would have been about ${units.money(could.saving)} more.`
      : "On this day nothing more was to be had from neighbours than it took.")];
}

function told({ bought, sold }, units) {
  const parts = [bought > 0n && `It drew ${units.energy(bought)} from the grid that neighbours had offered and nobody bought.`,
    sold > 0n && `It gave ${units.energy(sold)} to the grid while neighbours drew as much from it.`];
  return parts.filter(Boolean).join(" ");
}

const LINES = [
  ["Bought from neighbours", "bought_wh", "paid", 1n], ["Sold to neighbours", "sold_wh", "earned", -1n], ["Service fees", null, "fees", 1n],
  ["Compensation received", null, "compensation_received", -1n], ["Compensation paid", null, "compensation_paid", 1n],
  ["On the supplier's invoice", null, "grid_account", -1n], ["Cost with the market", null, "market", 1n, "sum"],
  ["Cost with the grid alone", null, "grid_alone", 1n], ["Saved", null, "saving", 1n, "sum"]];

function billTable(ofDay, all, units) {
  const amount = (row, [, , name, sign]) => (row ? units.bareMoney(sign * big(row[name])) : "–");
  const energy = ([, name]) => name && ofDay && h("span", { class: "note" }, units.energy(ofDay[name]), " on this day");
  const heads = [`This day (${units.moneyUnit})`, `In all (${units.moneyUnit})`];
  return h("div", { class: "scroll", id: "bill", role: "region", tabindex: "0", "aria-labelledby": "bill-caption" }, h("table", {},
    h("caption", {}, h("span", { class: "caption", id: "bill-caption" }, "What it cost"), h("span", { class: "note" }, "Below zero: it was paid.")),
    h("thead", {}, h("tr", {}, h("td", {}), heads.map((head) => h("th", { scope: "col", class: "number" }, head)))),
    h("tbody", {}, LINES.map((line) => h("tr", { class: line[4] ?? null },
      h("th", { scope: "row" }, line[0], energy(line)),
      [ofDay, all].map((row) => h("td", { class: "number" }, amount(row, line))))))));
}

function savingChart(bills, range, { units, width }) {
  return chart({ id: "chart-saving", title: "Saved in each half-hour", unit: units.moneyUnit, slots: slotsOf(bills), range, width: Math.min(width, 900), hours: hour,
    summary: "What the market saved against the grid alone; below zero it cost more.",
    series: [{ name: "Saved", kind: "bar", values: bills.map((row) => units.drawnMoney(row.saving)), shown: bills.map((row) => units.money(row.saving)) }] });
}

function perHalfHour(bills, units) {
  return h("details", { id: "half-hours" }, h("summary", {}, "The bill of each half-hour"),
    table({ id: "half-hours-table", caption: "The bill of each half-hour", rows: bills, empty: "",
      columns: [
        { name: "Half-hour", head: true, of: (row) => h("a", { href: `#/?period=${row.period}` }, span(row.starts, row.ends)) },
        energyColumn(units, "Drawn", (row) => row.imported_wh),
        energyColumn(units, "Fed in", (row) => row.exported_wh),
        energyColumn(units, "Bought", (row) => row.bought_wh),
        energyColumn(units, "Sold", (row) => row.sold_wh),
        moneyColumn(units, "Grid alone", (row) => row.grid_alone),
        moneyColumn(units, "Market", (row) => row.market),
        moneyColumn(units, "Saved", (row) => row.saving),
      ] }));
}

// ---- standing and money --------------------------------------------------------------

function standing(account) {
  const { tier, performances } = account;
  const next = TIERS[tier + 1] ?? null;
  return h("section", { "aria-labelledby": "standing-title" }, h("h2", { id: "standing-title" }, "Standing"), tiles([
    ["Tier", `${tier} of ${TIERS.length - 1}`, `${DISCOUNT * tier} % off the service fee`],
    ["Good performances", grouped(performances), next === null ? "the highest tier is reached" : `${grouped(next - performances)} more to tier ${tier + 1}`],
    ["Waivers", grouped(account.waivers), "each takes the place of one fee"],
    ["Defaults", grouped(account.defaults), "deliveries and imports that were too far off"]]),
    next !== null && h("div", { class: "reach" }, h("label", { for: "to-tier" }, `Good performances on the way to tier ${tier + 1}: ${performances} of ${next}`),
      h("progress", { id: "to-tier", max: next, value: performances })));
}

function money(account, { units }) {
  const invoice = big(account.grid_account);
  const owes = invoice < 0n ? "it is in arrears with the supplier, and begins no new business" : invoice > 0n ? "the supplier owes it" : "nobody owes anything";
  const text = profileText(account.profile);
  return h("section", { "aria-labelledby": "money-title" }, h("h2", { id: "money-title" }, "Money and connection"), tiles([
    ["Free money", units.money(account.balance), "can be withdrawn"],
    ["In escrow", units.money(account.reserved), "set aside for what is open"],
    ["Invoice account", units.money(account.grid_account), owes]]),
    h("dl", { class: "facts" },
      fact("Authorised", account.authorized ? "yes: it may quote, bid and buy" : "no: it may begin no new business"),
      fact("Connection", account.capacity_wh ? `carries ${units.energy(account.capacity_wh)} in a half-hour` : "not entered"),
      fact("Meter", account.meter ? h("span", { class: "address" }, account.meter) : "none"),
      account.profile && !/^0x0*$/.test(account.profile) && fact("Profile", text === null ? h("span", { class: "address" }, account.profile) : `“${text}” (as it wrote itself)`)));
}

const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

/** The text in a profile's 32 bytes, where they are one that can be printed; null for a hash. */
function profileText(profile) {
  const bytes = Uint8Array.from((profile.slice(2).replace(/(00)+$/, "").match(/../g) ?? []).map((pair) => parseInt(pair, 16)));
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u.test(text) ? text : null;
  } catch {
    return null;
  }
}

// ---- what it deals -------------------------------------------------------------------

function dealings({ account, bids, quotes, purchases, defaults }, { units, parameters, status }) {
  const length = status.tariff.period_length;
  const when = (period) => h("a", { href: `#/?period=${period}` }, moment(period * length));
  const at = (name) => (page) => `#/household/${account.address}?${changed(parameters, { [name]: page })}`;
  return [
    bidsTable(bids, units, { when, empty: "It has not bid." }), pager(bids, "bids", at("bids")),
    table({ id: "own-purchases", caption: `Bought (${grouped(purchases.total)})`, rows: purchases.items, empty: "It has bought nothing from neighbours.",
      columns: [
        { name: "Quote", head: true, of: (trade) => grouped(trade.quote_id) },
        { name: "Half-hour", of: (trade) => when(trade.period) },
        { name: "Prosumer", of: (trade) => person(trade.prosumer) },
        { name: "How", of: (trade) => KIND[trade.kind] ?? trade.kind },
        priceColumn(units, "Price", (trade) => trade.price),
        energyColumn(units, "Bought", (trade) => trade.volume_wh),
        energyColumn(units, "Delivered", (trade) => trade.delivered_wh),
        moneyColumn(units, "Paid", (trade) => trade.payment),
      ] }), pager(purchases, "purchases", at("purchases")),
    table({ id: "own-quotes", caption: `Quotes (${grouped(quotes.total)})`, rows: quotes.items, empty: "It has not quoted.",
      columns: [
        { name: "Quote", head: true, of: (quote) => grouped(quote.id) },
        { name: "Half-hour", of: (quote) => when(quote.period) },
        priceColumn(units, "Price", (quote) => quote.price),
        energyColumn(units, "Offered", (quote) => quote.volume_wh),
        energyColumn(units, "Sold", (quote) => quote.sold_wh),
        energyColumn(units, "Delivered", (quote) => quote.delivered_wh),
        moneyColumn(units, "Revenue", (quote) => quote.revenue),
        { name: "Status", of: (quote) => badge(QUOTE[quote.status] ?? [quote.status], quote.status) },
      ] }), pager(quotes, "quotes", at("quotes")),
    table({ id: "own-defaults", caption: `Defaults (${grouped(defaults.total)})`, rows: defaults.items, empty: "No default: it kept its word.",
      columns: [
        { name: "Half-hour", head: true, of: (one) => when(one.period) },
        { name: "What", of: (one) => (one.silent ? "the meter was silent" : one.kind === "delivery" ? "delivered less than 95 % of its quote" : "imported more than 5 % off what it agreed") },
        { name: "Quote", number: true, of: (one) => (one.quote_id === null ? "–" : grouped(one.quote_id)) },
      ] }), pager(defaults, "defaults", at("defaults")),
  ];
}
