// Charts of a day as inline SVG. Each has a title, a sentence for those who do not see it, and its figures as a table.
import { h, s } from "./dom.js";
import { number, table } from "./table.js";

const LEFT = 44;
const RIGHT = 8;
const TOP = 10;
const BOTTOM = 22;
const HEIGHT = 190;

/** A chart, its legend and its table.
 *
 * slots    [{ starts, ends, label }] in the order of time
 * series   [{ name, kind: "step" | "bar", values: number or null for each slot, shown: text for each slot }]
 * levels   [{ name, value }]: lines across
 * range    first and last second of the axis
 * most     values above are drawn at the upper edge, with a mark
 */
export function chart({ id, title, unit, summary, slots, range, series, levels = [], most = Infinity, width, hours }) {
  const values = [...series.flatMap((one) => one.values), ...levels.map((level) => level.value)].filter(isKnown);
  const top = nice(Math.min(Math.max(...values, 0), most));
  const low = Math.min(...values, 0) < 0 ? -nice(-Math.min(...values)) : 0;
  const [first, last] = range;
  const x = (second) => LEFT + ((second - first) / (last - first)) * (width - LEFT - RIGHT);
  const y = (value) => TOP + ((top - Math.min(value, top)) / (top - low)) * (HEIGHT - TOP - BOTTOM);
  const size = { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` };
  const drawing = s("svg", { ...size, role: "img", "aria-labelledby": `${id}-title ${id}-says` },
    s("title", { id: `${id}-title` }, title), s("desc", { id: `${id}-says` }, summary),
    grid(low, top, y, width), axis(range, x, width, hours),
    series.map((one, at) => (one.kind === "bar" ? bars(one, slots, x, y, at) : steps(one, slots, x, y, top, at))),
    levels.map((level) => across(level, y(level.value), width)));
  return h("figure", { class: "chart" },
    h("h3", {}, title, h("span", { class: "unit" }, unit)),
    series.length > 1 && h("ul", { class: "legend" }, series.map((one, at) => h("li", {}, swatch(one, at), one.name))),
    drawing, h("p", { class: "quiet summary" }, summary), figures(id, title, unit, slots, series));
}

const isKnown = (value) => value !== null;

function figures(id, title, unit, slots, series) {
  const shown = series.map((one) => number(one.name, (at) => one.shown[at]));
  return h("details", { id: `${id}-figures` },
    h("summary", {}, "Figures as a table", h("span", { class: "unseen" }, `: ${title}`)),
    table({ id: `${id}-table`, caption: `${title} (${unit})`, rows: [...slots.keys()],
      columns: [{ name: "Half-hour", head: true, of: (at) => slots[at].label }, ...shown] }));
}

function across({ name }, y, width) {
  const above = y < TOP + 14 ? 12 : -4;
  return [
    s("line", { class: "level", x1: LEFT, x2: width - RIGHT, y1: y, y2: y }),
    s("text", { class: "level-text", x: LEFT + 4, y: y + above }, name)];
}

/** The least 1, 2 or 5 times a power of ten, or the half between, that is not below a number. */
function nice(most) {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((value) => value >= most * 0.999);
}

function grid(low, top, y, width) {
  return (low < 0 ? [low, 0, top] : [0, top / 2, top]).map((exact) => {
    const value = Number(exact.toPrecision(6));
    return [
      s("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
      tick(LEFT - 6, y(value) + 4, "end", String(value).replace("-", "−"))];
  });
}

function axis([first, last], x, width, hours) {
  const most = width < 420 ? 5 : 9;
  const step = [1, 2, 3, 4, 6, 12].find((candidate) => (last - first) / 3600 / candidate <= most) ?? 24;
  const ticks = [];
  for (let second = first; second < last; second += step * 3600) ticks.push(second);
  return ticks.map((second) => tick(Math.max(x(second), 20), HEIGHT - 5, "middle", hours(second)));
}

const tick = (x, y, anchor, text) => s("text", { class: "tick", x, y, "text-anchor": anchor }, text);

function bars(one, slots, x, y, index) {
  return slots.map(({ starts, ends }, at) => {
    const value = one.values[at];
    return isKnown(value) && value !== 0 && s("rect", { class: `bar series-${index}`,
      x: x(starts) + 0.5, width: Math.max(x(ends) - x(starts) - 1, 0.5),
      y: Math.min(y(value), y(0)), height: Math.abs(y(0) - y(value)) });
  });
}

function steps(one, slots, x, y, top, index) {
  let path = "";
  const above = [];
  slots.forEach((slot, at) => {
    const value = one.values[at];
    if (value === null) return;
    const joined = at > 0 && one.values[at - 1] !== null && slots[at - 1].ends === slot.starts;
    path += `${joined ? "L" : "M"}${x(slot.starts).toFixed(1)} ${y(value).toFixed(1)}H${x(slot.ends).toFixed(1)}`;
    if (value > top) above.push((x(slot.starts) + x(slot.ends)) / 2);
  });
  const mark = (middle) => `M${middle - 3} ${TOP + 5}L${middle} ${TOP}L${middle + 3} ${TOP + 5}Z`;
  return [
    path && s("path", { class: `step series-${index}`, d: path }),
    above.map((middle) => s("path", { class: `above series-${index}`, d: mark(middle) }))];
}

function swatch(one, index) {
  return s("svg", { width: 26, height: 12, "aria-hidden": "true" }, one.kind === "bar"
    ? s("rect", { class: `bar series-${index}`, x: 3, y: 1, width: 20, height: 10 })
    : s("path", { class: `step series-${index}`, d: "M1 6H25" }));
}
