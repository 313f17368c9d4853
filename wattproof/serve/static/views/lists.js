// Tables of the market's quotes, bids, trades and bills. `when` writes a half-hour: where it is given, the list is one
// household's over time, else everybody's in one half-hour.
import { badge } from "../parts.js";
import { person } from "../people.js";
import { energy, money, number, price, table } from "../table.js";
import { grouped } from "../units.js";
import { BID, KIND, QUOTE } from "../words.js";

const SEALED = "sealed";

const counted = (what, list) => `${what} (${grouped(list.total)})`;

const quoteNumber = { name: "Quote", head: true, of: (row) => grouped(row.quote_id ?? row.id) };

const at = (when, who) => (when ? { name: "Half-hour", of: (row) => when(row.period) } : who);

export function quotes(list, units, when = null) {
  return table({ id: "quotes", caption: counted("Quotes", list), rows: list.items,
    empty: when ? "It has not quoted." : "Nobody has quoted.",
    columns: [
      quoteNumber,
      at(when, { name: "Prosumer", of: (quote) => person(quote.prosumer) }),
      price(units, "Price", (quote) => quote.price),
      energy(units, "Offered", (quote) => quote.volume_wh),
      energy(units, "Sold", (quote) => quote.sold_wh),
      energy(units, "Delivered", (quote) => quote.delivered_wh),
      when ? money(units, "Revenue", (quote) => quote.revenue)
        : number("Bids", (quote) => `${quote.bids} (${quote.opened} opened)`),
      { name: "Status", of: (quote) => badge(QUOTE[quote.status] ?? [quote.status], quote.status) },
    ] });
}

export function bids(list, units, when = null) {
  const asked = energy(units, "Asked", (bid) => bid.volume_wh);
  const offered = price(units, "Price", (bid) => bid.price);
  return table({ id: "bids", caption: counted("Bids", list), rows: list.items,
    says: "Price and volume of a sealed bid are hidden until its bidder opens it.",
    empty: when ? "It has not bid." : "Nobody has bid.",
    columns: [
      quoteNumber,
      at(when, { name: "Bidder", of: (bid) => person(bid.bidder) }),
      { ...offered, of: (bid) => (bid.price === null ? SEALED : offered.of(bid)) },
      { ...asked, of: (bid) => (bid.volume_wh === null ? SEALED : asked.of(bid)) },
      energy(units, "Won", (bid) => (bid.status === "CONFIRMED" ? bid.filled_wh : null)),
      { name: "Status", of: (bid) => badge(BID[bid.status] ?? [bid.status], bid.status) },
    ] });
}

export function trades(list, units, when = null) {
  return table({ id: "trades", caption: counted(when ? "Bought" : "Trades", list), rows: list.items,
    empty: when ? "It has bought nothing from neighbours." : "Nothing is sold.",
    columns: [
      quoteNumber,
      { name: "Prosumer", of: (trade) => person(trade.prosumer) },
      at(when, { name: "Buyer", of: (trade) => person(trade.buyer) }),
      { name: "How", of: (trade) => KIND[trade.kind] ?? trade.kind },
      price(units, "Price", (trade) => trade.price),
      energy(units, "Sold", (trade) => trade.volume_wh),
      energy(units, "Delivered", (trade) => trade.delivered_wh),
      money(units, "Paid", (trade) => trade.payment),
    ] });
}

export function defaults(list, when) {
  return table({ id: "defaults", caption: counted("Defaults", list), rows: list.items,
    empty: "No default: it kept its word.",
    columns: [
      { name: "Half-hour", head: true, of: (one) => when(one.period) },
      { name: "What", of: broken },
      number("Quote", (one) => (one.quote_id === null ? "–" : grouped(one.quote_id))),
    ] });
}

function broken({ silent, kind }) {
  if (silent) return "the meter was silent";
  return kind === "delivery" ? "delivered less than 95 % of its quote" : "imported more than 5 % off what it agreed";
}

/** Bills, a row each; `first` is the column that says whose or when. */
export function bills({ id, caption, rows, first, says = null, empty = "" }, units) {
  return table({ id, caption, rows, says, empty,
    columns: [
      { ...first, head: true },
      energy(units, "Drawn", (bill) => bill.imported_wh),
      energy(units, "Fed in", (bill) => bill.exported_wh),
      energy(units, "Bought", (bill) => bill.bought_wh),
      energy(units, "Sold", (bill) => bill.sold_wh),
      money(units, "Grid alone", (bill) => bill.grid_alone),
      money(units, "Market", (bill) => bill.market),
      money(units, "Saved", (bill) => bill.saving),
    ] });
}

