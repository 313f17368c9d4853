// The community at a glance: where the half-hours stand, what is traded in one of them, and the day around it.
import { MAX_PAGE, get } from "../api.js";
import { h } from "../dom.js";
import { person } from "../people.js";
import { badge, energyColumn, moneyColumn, pager, priceColumn, table, tiles } from "../table.js";
import { clockTime, day, dayAround, phaseAt, span } from "../times.js";
import { timeline } from "../timeline.js";
import { big, counted, grouped, percent } from "../units.js";
import { BID, INDEX, KIND, PHASES, QUOTE } from "../words.js";
import { dayCharts } from "./day.js";

export const TITLE = "The community";
const ROWS = 10;
const INDICES = "indices-more";

export async function load({ status, clock, parameters }) {
  const length = status.tariff.period_length;
  const period = whole(parameters.get("period")) ?? (await traded(status));
  const [from, to] = periodsOfDay(period, length);
  const page = (name) => ({ period, per_page: ROWS, page: whole(parameters.get(name)) ?? 1 });
  const range = { from_period: from, to_period: to };
  const [phases, quotes, bids, trades, periods, bills, indices] = await Promise.all([
    get("phases", { at: clock.now }), get("quotes", page("quotes")), get("bids", page("bids")), get("trades", page("trades")),
    get("periods", { ...range, per_page: MAX_PAGE, order: "asc" }),
    billsOf(range, whole(parameters.get("bills")) ?? 1),
    document.getElementById(INDICES)?.open ? get("indices", range) : null]);
  return { period, from, to, phases: phases.periods, quotes, bids, trades, periods: periods.items, ...bills, indices: indices?.indices ?? null,
    now: periods.items.find((row) => row.period === period) ?? null };
}

/** A page of the day's bills and, where a page of the API holds them all, their sums. */
async function billsOf(range, page) {
  const all = await get("bills", { ...range, per_page: MAX_PAGE });
  if (all.pages > 1) return { bills: await get("bills", { ...range, per_page: ROWS, page }), sums: null };
  const bills = { items: all.items.slice((page - 1) * ROWS, page * ROWS), page, pages: Math.ceil(all.total / ROWS), total: all.total };
  return { bills, sums: { alone: sum("grid_alone", all.items), saved: sum("saving", all.items) } };
}

const sum = (name, rows) => rows.reduce((total, row) => total + (big(row[name]) ?? 0n), 0n);

/** A whole number of the address; null for anything else. */
export const whole = (text) => (/^[0-9]{1,15}$/.test(text ?? "") ? Number(text) : null);

/** The half-hour to show first: the next one where somebody has quoted for it, else the last one with quotes, else any. */
async function traded(status) {
  const before = (await get("periods", { to_period: status.period + 1, per_page: MAX_PAGE })).items;
  const found = before.find((row) => row.quotes > 0) ?? before[0] ?? (await get("periods", { per_page: 1, order: "asc" })).items[0];
  return found?.period ?? status.period + 1;
}

/** The half-hours that begin within the visitor's day around one, at most as many as a page of the API has. */
export function periodsOfDay(period, length) {
  const [starts, ends] = dayAround(period * length);
  const from = Math.ceil(starts / length);
  const to = Math.floor(ends / length);
  if (to - from < MAX_PAGE) return [from, to];
  const first = Math.max(from, period - MAX_PAGE / 2);
  return [first, first + MAX_PAGE - 1];
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
  return h("section", { "aria-labelledby": "now-title" },
    h("h2", { id: "now-title" }, "Now"),
    h("p", { class: "clock" }, `${day(clock.now)}, ${clockTime(clock.now)} `,
      h("span", { class: "quiet" }, clock.goes ? "by the chain's clock" : `by the chain's clock, which stands at its last block (${grouped(status.watched.number)})`)),
    open.length > 0 && h("div", { class: "phases" },
      timeline(open, clock.now, width - 2),
      h("ul", { class: "plain" }, open.map((period) => phaseLine(period, clock.now)))));
}

function phaseLine(period, now) {
  const { phase, until, next } = phaseAt(period, now);
  return h("li", {},
    h("a", { href: `#/?period=${period.period}` }, span(period.starts, period.ends)), " ",
    h("strong", {}, phase), `: ${PHASES[phase].says}. `,
    until && h("span", { class: "left" }, h("span", { "data-until": until, role: "timer", "aria-live": "off" }), ` left, then ${next}`));
}

function halfHour({ period, now, phases }, { status, units, clock }) {
  const length = status.tariff.period_length;
  const [starts, ends] = [period * length, (period + 1) * length];
  const at = (other) => `#/?period=${other}`;
  const known = phases.find((one) => one.period === period);
  const phase = known ? phaseAt(known, clock.now).phase : now?.phase;
  return h("section", { "aria-labelledby": "half-hour-title" },
    h("div", { class: "heading" },
      h("h2", { id: "half-hour-title" }, `Half-hour ${span(starts, ends)}`, h("span", { class: "note" }, `${day(starts)} · number ${period}${phase ? ` · ${phase}` : ""}`)),
      h("nav", { class: "pager", "aria-label": "Half-hours" },
        h("a", { href: at(period - 1), "aria-label": "Half-hour before" }, "Before"), h("a", { href: "#/", "aria-label": "Half-hour that is traded now" }, "Now"),
        h("a", { href: at(period + 1), "aria-label": "Half-hour after" }, "After"))),
    now ? tiles([
      ["Supply", units.energy(now.supply_wh), counted(now.quotes, "quote")],
      ["Demand", units.energy(now.demand_wh), `${counted(now.bids, "bid")}, ${grouped(now.opened)} opened`],
      ["Supply / demand", ratio(now.sdr), "above 1: more to spare than wanted"],
      ["Sold to neighbours", units.energy(now.sold_wh), counted(now.trades, "trade")],
      ["Mean price", units.price(now.trade_price), `grid: ${units.price(status.tariff.sbp)} to ${units.price(status.tariff.ssp)}`],
      ["Local share", share(now.local_wh, now.imported_wh), "of what households drew, from neighbours"],
    ]) : h("p", { class: "quiet" }, "Nobody has quoted, bid or metered anything for this half-hour."));
}

function deals({ period, quotes, bids, trades }, { status, units, parameters }) {
  const length = status.tariff.period_length;
  const page = (name) => (number) => `#/?${changed(parameters, { period, [name]: number })}`;
  return h("section", { "aria-labelledby": "deals-title" },
    h("h2", { id: "deals-title" }, `What is dealt for ${span(period * length, (period + 1) * length)}`),
    quotesTable(quotes, units), pager(quotes, "quotes", page("quotes")),
    bidsTable(bids, units), pager(bids, "bids", page("bids")),
    tradesTable(trades, units), pager(trades, "trades", page("trades")));
}

/** "1.02", or a dash where there is no demand. */
export const ratio = (text) => (text === null ? "–" : Number(text).toFixed(2));

export const share = (part, whole_) => (part === null || whole_ === null ? "–" : percent(big(part), big(whole_)) ?? "–");

/** Parameters of an address with some of them changed. */
export function changed(parameters, changes) {
  const copy = new URLSearchParams(parameters);
  for (const [name, value] of Object.entries(changes)) copy.set(name, value);
  return copy;
}

function quotesTable(list, units) {
  return table({ id: "quotes", caption: `Quotes (${grouped(list.total)})`, rows: list.items, empty: "Nobody has quoted.",
    columns: [
      { name: "Quote", head: true, of: (quote) => grouped(quote.id) },
      { name: "Prosumer", of: (quote) => person(quote.prosumer) },
      priceColumn(units, "Price", (quote) => quote.price),
      energyColumn(units, "Offered", (quote) => quote.volume_wh),
      energyColumn(units, "Sold", (quote) => quote.sold_wh),
      energyColumn(units, "Delivered", (quote) => quote.delivered_wh),
      { name: "Bids", number: true, of: (quote) => `${quote.bids} (${quote.opened} opened)` },
      { name: "Status", of: (quote) => badge(QUOTE[quote.status] ?? [quote.status], quote.status) },
    ] });
}

/** A table of bids, with their bidders or, where `when` writes them, with their half-hours. */
export function bidsTable(list, units, { when = null, empty = "Nobody has bid." } = {}) {
  return table({ id: "bids", caption: `Bids (${grouped(list.total)})`, rows: list.items, empty,
    note: "Price and volume of a sealed bid are hidden until its bidder opens it.",
    columns: [
      { name: "Quote", head: true, of: (bid) => grouped(bid.quote_id) },
      when ? { name: "Half-hour", of: (bid) => when(bid.period) } : { name: "Bidder", of: (bid) => person(bid.bidder) },
      { name: `Price (${units.priceUnit})`, number: true, of: (bid) => (bid.price === null ? "sealed" : units.barePrice(bid.price)) },
      { name: `Asked (${units.energyUnit})`, number: true, of: (bid) => (bid.volume_wh === null ? "sealed" : units.bareEnergy(bid.volume_wh)) },
      energyColumn(units, "Won", (bid) => (bid.status === "CONFIRMED" ? bid.filled_wh : null)),
      { name: "Status", of: (bid) => badge(BID[bid.status] ?? [bid.status], bid.status) },
    ] });
}

function tradesTable(list, units) {
  return table({ id: "trades", caption: `Trades (${grouped(list.total)})`, rows: list.items, empty: "Nothing is sold.",
    columns: [
      { name: "Quote", head: true, of: (trade) => grouped(trade.quote_id) },
      { name: "Prosumer", of: (trade) => person(trade.prosumer) },
      { name: "Buyer", of: (trade) => person(trade.buyer) },
      { name: "How", of: (trade) => KIND[trade.kind] ?? trade.kind },
      priceColumn(units, "Price", (trade) => trade.price),
      energyColumn(units, "Sold", (trade) => trade.volume_wh),
      energyColumn(units, "Delivered", (trade) => trade.delivered_wh),
      moneyColumn(units, "Paid", (trade) => trade.payment),
    ] });
}

function theDay(data, context) {
  const { periods, from, to, sums, indices } = data;
  const { status, units } = context;
  const length = status.tariff.period_length;
  const at = (period) => `#/?period=${period}`;
  return h("section", { "aria-labelledby": "day-title" },
    h("div", { class: "heading" },
      h("h2", { id: "day-title" }, "The day", h("span", { class: "note" }, day(from * length))),
      h("nav", { class: "pager", "aria-label": "Days" }, h("a", { href: at(from - 1), "aria-label": "Day before" }, "Before"), h("a", { href: at(to + 1), "aria-label": "Day after" }, "After"))),
    tiles([
      ["Households", grouped(status.counts.households), null],
      ["Delivered by neighbours", units.energy(sum("delivered_wh", periods)), `in ${counted(sum("trades", periods), "trade")}`],
      ["Local share", share(sum("local_wh", periods), sum("imported_wh", periods)), "of what households drew"],
      sums && ["Saved by the market", units.money(sums.saved), sums.alone > 0n ? `${percent(sums.saved, sums.alone)} of ${units.money(sums.alone)} with the grid alone` : "against the grid alone"],
    ]),
    periods.length ? dayCharts(periods, [from * length, (to + 1) * length], context) : h("p", { class: "quiet" }, "Nothing was traded on this day."),
    indicesTable(indices));
}

function indicesTable(indices) {
  // They are the dearest question: nobody asks it for who does not look.
  return h("details", { id: INDICES, toggle: () => dispatchEvent(new Event("wanted")) }, h("summary", {}, "Indices of the day"),
    indices && table({ id: "indices", caption: "Indices of the day", rows: indices, empty: "No indices yet.",
      columns: [
        { name: "Index", head: true, of: (index) => INDEX[index.name] ?? index.name },
        { name: "Value", number: true, of: (index) => (index.value === null ? "–" : Number(index.value).toFixed(3)) },
        { name: "What it says", of: (index) => (index.why ? `${index.says}. Not known: ${index.why}` : index.says) },
      ] }));
}

function households({ bills, period }, { units, parameters }) {
  return h("section", { "aria-labelledby": "households-title" },
    h("h2", { id: "households-title" }, "Households"),
    table({ id: "households", caption: `What the day cost (${counted(bills.total, "household")})`, rows: bills.items, empty: "No meter has reported on this day.",
      note: "Below zero: the household was paid.",
      columns: [
        { name: "Household", head: true, of: (bill) => person(bill.household) },
        energyColumn(units, "Drawn", (bill) => bill.imported_wh),
        energyColumn(units, "Fed in", (bill) => bill.exported_wh),
        energyColumn(units, "Bought", (bill) => bill.bought_wh),
        energyColumn(units, "Sold", (bill) => bill.sold_wh),
        moneyColumn(units, "Grid alone", (bill) => bill.grid_alone),
        moneyColumn(units, "Market", (bill) => bill.market),
        moneyColumn(units, "Saved", (bill) => bill.saving),
      ] }),
    pager(bills, "households", (page) => `#/?${changed(parameters, { period, bills: page })}`));
}
