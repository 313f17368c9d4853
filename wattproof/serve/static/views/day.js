// The four charts of a day: supply and demand, their ratio, prices between the grid's, and the local share.
import { chart } from "../charts.js";
import { h } from "../dom.js";
import { hour, span } from "../times.js";
import { percent, big } from "../units.js";
import { ratio, share } from "./community.js";

const GAP = 28;
const WIDE = 760; // pixels from which two charts stand side by side
const RATIO_MOST = 3;

export function dayCharts(periods, range, { units, status, width }) {
  const slots = slotsOf(periods);
  const wide = width >= WIDE ? Math.floor((width - GAP) / 2) : width;
  const common = { slots, range, width: wide, hours: hour };
  const of = (name, drawn, shown) => ({ values: periods.map((row) => (row[name] === null ? null : drawn(row[name]))), shown: periods.map((row) => shown(row[name])) });
  const energy = (name) => of(name, (wh) => units.drawnEnergy(wh), (wh) => units.energy(wh));
  // Before bids are opened nobody knows the demand.
  const demand = { ...energy("demand_wh"), values: periods.map((row) => (row.opened ? units.drawnEnergy(row.demand_wh) : null)) };
  const price = (name) => of(name, (perWh) => units.drawnPrice(perWh), (perWh) => units.price(perWh));
  const local = periods.map((row) => [row.local_wh, row.imported_wh]);
  return h("div", { class: wide < width ? "charts two" : "charts" },
    chart({ ...common, id: "chart-energy", title: "Supply and demand", unit: units.energyUnit,
      summary: mostOf(periods, "supply_wh", "Most was offered", units), series: [
        { name: "Supply (quoted)", kind: "step", ...energy("supply_wh") },
        { name: "Demand (opened bids)", kind: "step", ...demand },
        { name: "Sold to neighbours", kind: "bar", ...energy("sold_wh") }] }),
    chart({ ...common, id: "chart-price", title: "Prices", unit: units.priceUnit,
      summary: `Between what the grid pays, ${units.price(status.tariff.sbp)}, and what it charges, ${units.price(status.tariff.ssp)}. Means, weighted by volume.`,
      levels: [{ name: "grid charges", value: units.drawnPrice(status.tariff.ssp) }, { name: "grid pays", value: units.drawnPrice(status.tariff.sbp) }],
      series: [
        { name: "Quotes", kind: "step", ...price("quote_price") },
        { name: "Opened bids", kind: "step", ...price("bid_price") },
        { name: "Trades", kind: "step", ...price("trade_price") }] }),
    chart({ ...common, id: "chart-ratio", title: "Supply-demand ratio", unit: "supply / demand", most: RATIO_MOST,
      summary: `Above 1 there is more to spare than wanted. What is above ${RATIO_MOST} is marked by a triangle; without demand there is no ratio.`,
      levels: [{ name: "as much as wanted", value: 1 }],
      series: [{ name: "Supply / demand", kind: "step", ...of("sdr", Number, ratio) }] }),
    chart({ ...common, id: "chart-local", title: "Local share", unit: "% of what was drawn",
      summary: "How much of what households drew from the wires came from neighbours.",
      series: [{ name: "Local share", kind: "bar", shown: local.map(([part, all]) => share(part, all)),
        values: local.map(([part, all]) => (all ? Number(percent(big(part), big(all)).slice(0, -2)) : null)) }] }));
}

/** The half-hours as places on the axis of time. */
export const slotsOf = (periods) => periods.map((row) => ({ starts: row.starts, ends: row.ends, label: span(row.starts, row.ends) }));

function mostOf(periods, name, words, units) {
  const most = periods.reduce((best, row) => ((row[name] ?? 0) > (best[name] ?? 0) ? row : best), periods[0]);
  return most[name] ? `${words} for ${span(most.starts, most.ends)}: ${units.energy(most[name])}.` : "Nothing was offered.";
}
