// A household's own view: its bill, its standing, its money, its bids, quotes and defaults.
import { address, dayOf, halfHourAt, pageOf, rangeOf, whole } from "../addresses.js";
import { MAX_PAGE, find, get } from "../api.js";
import { h } from "../dom.js";
import { code, facts, section, tiles } from "../parts.js";
import { isAddress, nameOf, setName, short } from "../people.js";
import { pager } from "../table.js";
import { moment } from "../times.js";
import { big, grouped } from "../units.js";
import { DISCOUNT, ROLE, TIERS } from "../words.js";
import { bill } from "./bill.js";
import { finder } from "./finder.js";
import * as lists from "./lists.js";

export const TITLE = "Households";
const ROWS = 10;
const LISTED = 20;

export async function load({ argument: asked, parameters, status }) {
  if (!isAddress(asked)) {
    const page = pageOf(parameters, "page");
    return { asked, list: await get("accounts", { role: "household", per_page: LISTED, page }) };
  }
  const account = await find(`accounts/${asked}`);
  if (!account) return { asked, list: null };
  const length = status.tariff.period_length;
  const household = account.address;
  const span = dayOf(whole(parameters.get("period")) ?? (await lastDealt(household)) ?? status.period, length);
  const range = rangeOf(span);
  const list = (name, whose) => get(name, { ...whose, per_page: ROWS, page: pageOf(parameters, name) });
  const [all, ofDay, bills, periods, bids, quotes, trades, defaults] = await Promise.all([
    get("bills", { household }), get("bills", { household, ...range }),
    get("bills", { household, by: "period", ...range, per_page: MAX_PAGE, order: "asc" }),
    get("periods", { ...range, per_page: MAX_PAGE, order: "asc" }),
    list("bids", { bidder: household }), list("quotes", { prosumer: household }), list("trades", { buyer: household }),
    list("defaults", { user: household })]);
  return { account, span, all: all.items[0] ?? null, ofDay: ofDay.items[0] ?? null,
    bills: bills.items.map((row) => ({ ...row, starts: row.period * length, ends: (row.period + 1) * length })),
    periods: periods.items, bids, quotes, trades, defaults };
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
    h("h1", { tabindex: "-1" }, name || `${ROLE[account.role] ?? ROLE.other} ${short(account.address)}`),
    h("p", { class: "address whole" }, account.address),
    naming(account.address, name),
    bill(data, context),
    standing(account),
    money(account, context.units),
    dealings(data, context),
  ];
}

function naming(whose, name) {
  return h("details", { id: "naming" }, h("summary", {}, name ? "Change its name" : "Give it a name"),
    h("form", { class: "row", "data-address": whose, submit: rename },
      h("label", { for: "own-name" }, "Name, kept in this browser only"),
      h("input", { id: "own-name", name: "name", value: name, maxlength: "40", autocomplete: "off" }),
      h("button", {}, "Keep")));
}

function rename(event) {
  event.preventDefault();
  const form = event.currentTarget;
  setName(form.dataset.address, form.elements.name.value);
  dispatchEvent(new Event("redraw"));
}

function standing({ tier, performances, waivers, defaults }) {
  const next = TIERS[tier + 1] ?? null;
  const missing = `${grouped(next - performances)} more to tier ${tier + 1}`;
  const way = `Good performances on the way to tier ${tier + 1}: ${performances} of ${next}`;
  return section("standing", "Standing", {},
    tiles(
      ["Tier", `${tier} of ${TIERS.length - 1}`, `${DISCOUNT * tier} % off the service fee`],
      ["Good performances", grouped(performances), next === null ? "the highest tier is reached" : missing],
      ["Waivers", grouped(waivers), "each takes the place of one fee"],
      ["Defaults", grouped(defaults), "deliveries and imports that were too far off"]),
    next !== null && h("div", { class: "reach" },
      h("label", { for: "to-tier" }, way), h("progress", { id: "to-tier", max: next, value: performances })));
}

function money(account, units) {
  const carries = `carries ${units.energy(account.capacity_wh)} in a half-hour`;
  return section("money", "Money and connection", {},
    tiles(
      ["Free money", units.money(account.balance), "can be withdrawn"],
      ["In escrow", units.money(account.reserved), "set aside for what is open"],
      ["Invoice account", units.money(account.grid_account), owing(big(account.grid_account))]),
    facts(
      ["Authorised", account.authorized ? "yes: it may quote, bid and buy" : "no: it may begin no new business"],
      ["Connection", account.capacity_wh ? carries : "not entered"],
      ["Meter", account.meter ? code(account.meter) : "none"],
      !/^0x0*$/.test(account.profile ?? "0x") && ["Profile", profile(account.profile)]));
}

function owing(invoice) {
  if (invoice < 0n) return "it is in arrears with the supplier, and begins no new business";
  return invoice > 0n ? "the supplier owes it" : "nobody owes anything";
}

/** A profile's 32 bytes: as text where they are one that can be printed, else as the hash that they are. */
function profile(word) {
  const digits = word.slice(2).replace(/(00)+$/, "").match(/../g) ?? [];
  const bytes = Uint8Array.from(digits.map((pair) => parseInt(pair, 16)));
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u.test(text)) return `“${text}” (as it wrote itself)`;
  } catch {
    // It is no text.
  }
  return code(word);
}

function dealings({ account, bids, quotes, trades, defaults }, { units, parameters, status }) {
  const length = status.tariff.period_length;
  const when = (period) => h("a", { href: halfHourAt(period) }, moment(period * length));
  const at = (name) => (page) => address(`household/${account.address}`, parameters, { [name]: page });
  return section("dealings", "Its dealings", {},
    lists.bids(bids, units, when), pager(bids, "bids", at("bids")),
    lists.trades(trades, units, when), pager(trades, "trades", at("trades")),
    lists.quotes(quotes, units, when), pager(quotes, "quotes", at("quotes")),
    lists.defaults(defaults, when), pager(defaults, "defaults", at("defaults")));
}
