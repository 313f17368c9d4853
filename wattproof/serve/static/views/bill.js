// A household's bill: against the grid alone, by day and in all, by half-hours, and what it could still have saved.
import { halfHourAt } from "../addresses.js";
import { chart } from "../charts.js";
import { h } from "../dom.js";
import { dayLinks, note, quiet, section, tiles } from "../parts.js";
import { couldSave } from "../saving.js";
import { framed } from "../table.js";
import { day, hour, span } from "../times.js";
import { big } from "../units.js";
import { ofGridAlone } from "./community.js";
import { slotsOf } from "./day.js";
import * as lists from "./lists.js";

const WIDEST = 900; // pixels of the chart

export function bill(data, context) {
  const { account, span: [from, to], all, ofDay, bills } = data;
  const { status, units } = context;
  const length = status.tariff.period_length;
  const aside = dayLinks((period) => `#/household/${account.address}?period=${period}`, [from, to]);
  const range = [from * length, (to + 1) * length];
  return section("bill", "Bill", { note: day(from * length), aside },
    all ? [
      summary(data, context), billTable(ofDay, all, units), savings(bills, range, context), halfHours(bills, units),
    ] : quiet("Its meter has not reported yet, so there is no bill."));
}

function summary({ all, ofDay, bills, periods, account }, { units, status }) {
  const could = couldSave(bills, periods, account.tier, status.tariff);
  const part = (row) => ofGridAlone(big(row?.saving ?? 0), big(row?.grid_alone ?? 0), units);
  return [
    tiles(
      ["Saved on this day", units.money(ofDay?.saving ?? null), part(ofDay)],
      ["Saved in all", units.money(all.saving), part(all)],
      ["Could have saved more", units.money(could.saving), "on this day"]),
    h("p", {}, told(could, units))];
}

function told({ bought, sold, saving }, units) {
  if (!saving) return "On this day nothing more was to be had from neighbours than it took.";
  return [
    bought > 0n && `It drew ${units.energy(bought)} from the grid that neighbours had offered and nobody bought.`,
    sold > 0n && `It gave ${units.energy(sold)} to the grid while neighbours drew as much from it.`,
    "At the half-hours' mean prices, and with the fee of today's tier,",
    `that would have been about ${units.money(saving)} more.`].filter(Boolean).join(" ");
}

/** The lines of a bill: name, energy, money, the sign with which it is a cost, and whether it is a sum. */
const LINES = [
  ["Bought from neighbours", "bought_wh", "paid", 1n],
  ["Sold to neighbours", "sold_wh", "earned", -1n],
  ["Service fees", null, "fees", 1n],
  ["Compensation received", null, "compensation_received", -1n],
  ["Compensation paid", null, "compensation_paid", 1n],
  ["On the supplier's invoice", null, "grid_account", -1n],
  ["Cost with the market", null, "market", 1n, "sum"],
  ["Cost with the grid alone", null, "grid_alone", 1n],
  ["Saved", null, "saving", 1n, "sum"],
];

function billTable(ofDay, all, units) {
  const heads = [`This day (${units.moneyUnit})`, `In all (${units.moneyUnit})`];
  const line = ([name, wh, amount, sign, kind = null]) => h("tr", { class: kind },
    h("th", { scope: "row" }, name, wh && ofDay && note(units.energy(ofDay[wh]), " on this day")),
    [ofDay, all].map((row) => h("td", { class: "number" }, row ? units.bareMoney(sign * big(row[amount])) : "–")));
  return framed("bill", "What it cost", "Below zero: it was paid.",
    h("thead", {}, h("tr", {}, h("td", {}), heads.map((head) => h("th", { scope: "col", class: "number" }, head)))),
    h("tbody", {}, LINES.map(line)));
}

function savings(bills, range, { units, width }) {
  if (!bills.some((row) => big(row.saving))) return null;
  return chart({ id: "chart-saving", title: "Saved in each half-hour", unit: units.moneyUnit,
    slots: slotsOf(bills), range, width: Math.min(width, WIDEST), hours: hour,
    summary: "What the market saved against the grid alone; below zero it cost more.",
    series: [{ name: "Saved", kind: "bar", values: bills.map((row) => units.drawnMoney(row.saving)),
      shown: bills.map((row) => units.money(row.saving)) }] });
}

function halfHours(bills, units) {
  const caption = "The bill of each half-hour";
  const when = (row) => h("a", { href: halfHourAt(row.period) }, span(row.starts, row.ends));
  return bills.length > 0 && h("details", { id: "half-hours" }, h("summary", {}, caption),
    lists.bills({ id: "half-hours-table", caption, rows: bills, first: { name: "Half-hour", of: when } }, units));
}
