// The four charts of a day: supply and demand, their ratio, prices between the grid's, and the local share.
import { chart } from "../charts.js";
import { h } from "../dom.js";
import { hour, span } from "../times.js";
import { percent, big, share } from "../units.js";

const GAP = 28;
const WIDE = 760; // pixels from which two charts stand side by side
const RATIO_MOST = 3;

/** The charts of half-hours (of the API's `periods`) over `range`, the first and last second of the day. */
export function dayCharts(periods, range, { units, status, width }) {
  const wide = width >= WIDE ? Math.floor((width - GAP) / 2) : width;
  const common = { slots: slotsOf(periods), range, width: wide, hours: hour };
  return h("div", { class: wide < width ? "charts two" : "charts" },
    [energies(periods, units), prices(periods, units, status.tariff), ratios(periods), locals(periods)].map((one) =>
      chart({ ...common, ...one })));
}

/** The half-hours as places on the axis of time. */
export const slotsOf = (periods) =>
  periods.map((row) => ({ starts: row.starts, ends: row.ends, label: span(row.starts, row.ends) }));

/** A series: a number to draw for each half-hour, null for none, and a text for the table. */
function series(name, kind, periods, drawn, shown) {
  return { name, kind, values: periods.map(drawn), shown: periods.map(shown) };
}

const orNull = (value, drawn) => (value === null ? null : drawn(value));

function energies(periods, units) {
  const of = (title, kind, name, known = () => true) => series(title, kind, periods,
    (row) => (known(row) ? units.drawnEnergy(row[name]) : null), (row) => units.energy(row[name]));
  const most = periods.reduce((best, row) => (row.supply_wh > best.supply_wh ? row : best), periods[0]);
  const offered = `Most was offered for ${span(most.starts, most.ends)}: ${units.energy(most.supply_wh)}.`;
  return { id: "chart-energy", title: "Supply and demand", unit: units.energyUnit,
    summary: most.supply_wh ? offered : "Nothing was offered.",
    series: [
      of("Supply (quoted)", "step", "supply_wh"),
      of("Demand (opened bids)", "step", "demand_wh", (row) => row.opened), // Nobody knows it before.
      of("Sold to neighbours", "bar", "sold_wh")] };
}

function prices(periods, units, { sbp, ssp }) {
  const of = (title, name) => series(title, "step", periods,
    (row) => orNull(row[name], (perWh) => units.drawnPrice(perWh)), (row) => units.price(row[name]));
  const band = `Between what the grid pays, ${units.price(sbp)}, and what it charges, ${units.price(ssp)}.`;
  return { id: "chart-price", title: "Prices", unit: units.priceUnit,
    summary: `${band} Means, weighted by volume.`,
    levels: [
      { name: "grid charges", value: units.drawnPrice(ssp) },
      { name: "grid pays", value: units.drawnPrice(sbp) }],
    series: [of("Quotes", "quote_price"), of("Opened bids", "bid_price"), of("Trades", "trade_price")] };
}

function ratios(periods) {
  const shown = (row) => (row.sdr === null ? "–" : Number(row.sdr).toFixed(2));
  const beyond = `What is above ${RATIO_MOST} is marked by a triangle; without demand there is no ratio.`;
  return { id: "chart-ratio", title: "Supply-demand ratio", unit: "supply / demand", most: RATIO_MOST,
    summary: `Above 1 there is more to spare than wanted. ${beyond}`,
    levels: [{ name: "as much as wanted", value: 1 }],
    series: [series("Supply / demand", "step", periods, (row) => orNull(row.sdr, Number), shown)] };
}

function locals(periods) {
  const drawn = (row) =>
    row.imported_wh ? Number(percent(big(row.local_wh), big(row.imported_wh)).replace(" %", "")) : null;
  return { id: "chart-local", title: "Local share", unit: "% of what was drawn",
    summary: "How much of what households drew from the wires came from neighbours.",
    series: [series("Local share", "bar", periods, drawn, (row) => share(row.local_wh, row.imported_wh))] };
}
