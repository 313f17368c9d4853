// The half-hours around now, one bar each, cut into phases; drawn for the eye, as the list beside it tells the same.
import { s } from "./dom.js";
import { phaseAt, hour, span } from "./times.js";
import { PHASES } from "./words.js";

const ROW = 48;
const BAR = 26;
const TOP = 8;
const SCALE = 26;
const NAME = 14;
const EDGE = 8;
const LETTER = 6.2;
const ROOM = 36; // that half of "now 12:34" takes
const NARROW = 600;
const PHASES_DRAWN = ["REVEALING", "MATCHING", "DELIVERING", "METERING", "SETTLING"];

/** An SVG of these half-hours (of the API's `phases`) at the chain's second `now`, so many pixels wide.
 *
 * They stand on one axis of time; where that leaves no room for the phases' names, each has one of its own.
 */
export function timeline(periods, now, width) {
  const own = width < NARROW;
  const height = TOP + periods.length * ROW + (own ? 0 : SCALE);
  const first = Math.min(...periods.map((one) => one.begins.REVEALING), now);
  const last = Math.max(...periods.map((one) => one.begins.CLOSING), now + 1);
  const together = axis(first, last, width);
  const rows = periods.map((period, index) => {
    const x = own ? axis(period.begins.REVEALING, period.begins.CLOSING, width) : together;
    const y = TOP + index * ROW;
    const begun = now >= period.begins.REVEALING && now < period.begins.CLOSING;
    return [own && begun && line(x(now), y + NAME - 4, y + NAME + BAR + 4), row(period, y, x, now)];
  });
  const at = together(now);
  const size = { width, height, viewBox: `0 0 ${width} ${height}` };
  return s("svg", { class: "timeline", ...size, "aria-hidden": "true" },
    !own && line(at, TOP - 4, height - SCALE + 8), rows,
    !own && text("now-text", Math.min(Math.max(at, ROOM), width - ROOM), height - 5, `now ${hour(now)}`));
}

const axis = (from, to, width) => (second) => ((second - from) / (to - from)) * (width - 2 * EDGE) + EDGE;

const text = (kind, x, y, words) => s("text", { class: kind, x, y, "text-anchor": "middle" }, words);

const line = (x, from, to) => s("line", { class: "now", x1: x, x2: x, y1: from, y2: to });

function row(period, y, x, now) {
  const current = phaseAt(period, now).phase;
  const bars = PHASES_DRAWN.map((phase, index) => {
    const starts = x(period.begins[phase]);
    const wide = x(period.begins[PHASES_DRAWN[index + 1] ?? "CLOSING"]) - starts;
    const label = PHASES[phase].short;
    return s("g", { class: phase === current ? "phase current" : "phase" },
      s("rect", { x: starts, y: y + NAME, width: Math.max(wide - 1, 0.5), height: BAR, rx: 3 }),
      wide > LETTER * label.length && text(null, starts + wide / 2, y + NAME + BAR / 2 + 4, label));
  });
  const { begins, starts, ends } = period;
  return [s("text", { class: "period", x: x(begins.REVEALING), y: y + 9 }, span(starts, ends)), bars];
}
