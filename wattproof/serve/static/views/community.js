// The community at a glance: where the half-hours stand, what is traded in one of them, and the day around it.
import { address, dayOf, halfHourAt, pageOf, rangeOf, whole } from "../addresses.js";
import { MAX_PAGE, get } from "../api.js";
import { h } from "../dom.js";
import { dayLinks, quiet, section, step, tiles } from "../parts.js";
import { person } from "../people.js";
import { number, pager, table } from "../table.js";
import { clockTime, day, phaseAt, span } from "../times.js";
import { timeline } from "../timeline.js";
import { big, counted, grouped, percent, share } from "../units.js";
import { INDEX, PHASES } from "../words.js";
import { dayCharts } from "./day.js";
import * as lists from "./lists.js";

export const TITLE = "The community";
const ROWS = 10;
const INDICES = "indices-more";

export async function load({ status, clock, parameters }) {
  const period = whole(parameters.get("period")) ?? (await traded(status));
  const span = dayOf(period, status.tariff.period_length);
  const range = rangeOf(span);
  const list = (name) => get(name, { period, per_page: ROWS, page: pageOf(parameters, name) });
  const [phases, quotes, bids, trades, periods, bills, indices] = await Promise.all([
    get("phases", { at: clock.now }), list("quotes"), list("bids"), list("trades"),
    get("periods", { ...range, per_page: MAX_PAGE, order: "asc" }),
    billsOf(range, pageOf(parameters, "bills")),
    // They are the dearest question: nobody asks it for who does not look.
    document.getElementById(INDICES)?.open ? get("indices", range) : null]);
  const now = periods.items.find((row) => row.period === period) ?? null;
  return { period, span, now, phases: phases.periods, quotes, bids, trades, periods: periods.items, ...bills,
    indices: indices?.indices ?? null };
}

/** A page of the day's bills and, where a page of the API holds them all, their sums. */
async function billsOf(range, page) {
  const { items, pages, total } = await get("bills", { ...range, per_page: MAX_PAGE });
  if (pages > 1) return { bills: await get("bills", { ...range, per_page: ROWS, page }), sums: null };
  const shown = items.slice((page - 1) * ROWS, page * ROWS);
  return { bills: { items: shown, page, pages: Math.ceil(total / ROWS), total },
    sums: { alone: sum("grid_alone", items), saved: sum("saving", items) } };
}

const sum = (name, rows) => rows.reduce((total, row) => total + (big(row[name]) ?? 0n), 0n);

/** The half-hour to show first: the next one where somebody quoted for it, else the last one with quotes, else any. */
async function traded(status) {
  const before = (await get("periods", { to_period: status.period + 1, per_page: MAX_PAGE })).items;
  const found = before.find((row) => row.quotes > 0) ?? before[0];
  return (found ?? (await get("periods", { per_page: 1, order: "asc" })).items[0])?.period ?? status.period + 1;
}

export function draw(data, context) {
  return [
    h("h1", { tabindex: "-1" }, TITLE),
    phasesNow(data, context),
    halfHour(data, context),
    theDay(data, context),
    deals(data, context),
    households(data, context),
  ];
}

function phasesNow({ phases }, { clock, status, width }) {
  const open = phases.filter((period) => phaseAt(period, clock.now).phase !== "CLOSING");
  const stands = clock.goes ? "" : `, which stands at its last block (${grouped(status.watched.number)})`;
  return section("now", "Now", {},
    h("p", { class: "clock" }, `${day(clock.now)}, ${clockTime(clock.now)} `,
      h("span", { class: "quiet" }, `by the chain's clock${stands}`)),
    open.length > 0 && h("div", { class: "phases" },
      timeline(open, clock.now, width - 2),
      h("ul", { class: "plain" }, open.map((period) => phaseLine(period, clock.now)))));
}

function phaseLine(period, now) {
  const { phase, until, next } = phaseAt(period, now);
  const left = h("span", { "data-until": until, role: "timer", "aria-live": "off" });
  return h("li", {},
    h("a", { href: halfHourAt(period.period) }, span(period.starts, period.ends)), " ",
    h("strong", {}, phase), `: ${PHASES[phase].says}. `,
    until && h("span", { class: "left" }, left, ` left, then ${next}`));
}

function halfHour({ period, now, phases }, { status, units, clock }) {
  const { period_length: length, sbp, ssp } = status.tariff;
  const starts = period * length;
  const known = phases.find((one) => one.period === period);
  const phase = known ? phaseAt(known, clock.now).phase : now?.phase;
  const aside = h("nav", { class: "pager", "aria-label": "Half-hours" },
    step(halfHourAt(period - 1), "Half-hour before", "Before"), step("#/", "Half-hour that is traded now", "Now"),
    step(halfHourAt(period + 1), "Half-hour after", "After"));
  const note = `${day(starts)} · number ${period}${phase ? ` · ${phase}` : ""}`;
  return section("half-hour", `Half-hour ${span(starts, starts + length)}`, { note, aside },
    now ? tiles(
      ["Supply", units.energy(now.supply_wh), counted(now.quotes, "quote")],
      ["Demand", units.energy(now.demand_wh), `${counted(now.bids, "bid")}, ${grouped(now.opened)} opened`],
      ["Supply / demand", now.sdr === null ? "–" : Number(now.sdr).toFixed(2), "above 1: more to spare than wanted"],
      ["Sold to neighbours", units.energy(now.sold_wh), counted(now.trades, "trade")],
      ["Mean price", units.price(now.trade_price), `grid: ${units.price(sbp)} to ${units.price(ssp)}`],
      ["Local share", share(now.local_wh, now.imported_wh), "of what households drew, from neighbours"],
    ) : quiet("Nobody has quoted, bid or metered anything for this half-hour."));
}

function theDay({ periods, span: [from, to], sums, indices }, context) {
  const { status, units } = context;
  const length = status.tariff.period_length;
  const range = [from * length, (to + 1) * length];
  return section("day", "The day", { note: day(from * length), aside: dayLinks(halfHourAt, [from, to]) },
    tiles(
      ["Households", grouped(status.counts.households), null],
      ["Delivered by neighbours", units.energy(sum("delivered_wh", periods)),
        `in ${counted(sum("trades", periods), "trade")}`],
      ["Local share", share(sum("local_wh", periods), sum("imported_wh", periods)), "of what households drew"],
      sums && ["Saved by the market", units.money(sums.saved), ofGridAlone(sums.saved, sums.alone, units)]),
    periods.length ? dayCharts(periods, range, context) : quiet("Nothing was traded on this day."),
    h("details", { id: INDICES, toggle: () => dispatchEvent(new Event("wanted")) },
      h("summary", {}, "Indices of the day"), indices && indicesTable(indices)));
}

/** "17.0 % of 1,230.37 p with the grid alone" */
export function ofGridAlone(saved, alone, units) {
  if (alone <= 0n) return "against the grid alone";
  return `${percent(saved, alone)} of ${units.money(alone)} with the grid alone`;
}

function indicesTable(indices) {
  return table({ id: "indices", caption: "Indices of the day", rows: indices, empty: "No indices yet.",
    columns: [
      { name: "Index", head: true, of: (index) => INDEX[index.name] ?? index.name },
      number("Value", (index) => (index.value === null ? "–" : Number(index.value).toFixed(3))),
      { name: "What it says", of: (index) => (index.why ? `${index.says}. Not known: ${index.why}` : index.says) },
    ] });
}

function deals({ period, quotes, bids, trades }, { status, units, parameters }) {
  const length = status.tariff.period_length;
  const at = (name) => (page) => address("", parameters, { period, [name]: page });
  return section("deals", `What is dealt for ${span(period * length, (period + 1) * length)}`, {},
    lists.quotes(quotes, units), pager(quotes, "quotes", at("quotes")),
    lists.bids(bids, units), pager(bids, "bids", at("bids")),
    lists.trades(trades, units), pager(trades, "trades", at("trades")));
}

function households({ bills, period }, { units, parameters }) {
  return section("households", "Households", {},
    lists.bills({ id: "households", caption: `What the day cost (${counted(bills.total, "household")})`,
      rows: bills.items, says: "Below zero: the household was paid.", empty: "No meter has reported on this day.",
      first: { name: "Household", of: (bill) => person(bill.household) } }, units),
    pager(bills, "households", (page) => address("", parameters, { period, bills: page })));
}
