// What stands behind the # of the page's address, and the half-hours of a visitor's day.
import { MAX_PAGE } from "./api.js";
import { dayAround } from "./times.js";

/** A whole number; null for anything else. */
export const whole = (text) => (/^[0-9]{1,15}$/.test(text ?? "") ? Number(text) : null);

/** The page of a list that the address asks for. */
export const pageOf = (parameters, name) => whole(parameters.get(name)) ?? 1;

/** An address with some of its parameters changed. */
export function address(path, parameters, changes) {
  const copy = new URLSearchParams(parameters);
  for (const [name, value] of Object.entries(changes)) copy.set(name, value);
  return `#/${path}?${copy}`;
}

/** The address of a half-hour in the community's view. */
export const halfHourAt = (period) => `#/?period=${period}`;

/** First and last of the half-hours that begin within the visitor's day around one, at most a page of the API. */
export function dayOf(period, length) {
  const [starts, ends] = dayAround(period * length);
  const from = Math.ceil(starts / length);
  const to = Math.floor(ends / length);
  if (to - from < MAX_PAGE) return [from, to];
  const first = Math.max(from, period - MAX_PAGE / 2);
  return [first, first + MAX_PAGE - 1];
}

/** The same as parameters of the API. */
export const rangeOf = ([from, to]) => ({ from_period: from, to_period: to });
