// Times: those of the chain, written in the visitor's zone, and how much of a phase is left.

const NEAR = 300; // seconds between chain and visitor within which the chain's clock is taken to go with the visitor's

const HOUR = format({ hour: "2-digit", minute: "2-digit", hour12: false });
const SECOND = format({ hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, timeZoneName: "short" });
const DAY = format({ weekday: "short", day: "numeric", month: "long", year: "numeric" });
const SHORT_DAY = format({ day: "numeric", month: "short" });

function format(options) {
  return new Intl.DateTimeFormat("en-GB", options);
}

/** "12:30" */
export const hour = (second) => HOUR.format(second * 1000);

/** "12:30:05 BST" */
export const clockTime = (second) => SECOND.format(second * 1000);

/** "Fri, 21 June 2019" */
export const day = (second) => DAY.format(second * 1000);

/** "21 Jun, 12:30" */
export const moment = (second) => `${SHORT_DAY.format(second * 1000)}, ${hour(second)}`;

/** "12:30–13:00" */
export const span = (starts, ends) => `${hour(starts)}–${hour(ends)}`;

/** The visitor's zone: "Europe/London". */
export function zone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone ?? "your own zone";
}

/** "1 h 05 min", "9 min 05 s", "40 s". */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  if (whole >= 172_800) return `${Math.floor(whole / 86_400)} days`;
  if (hours) return `${hours} h ${two(minutes)} min`;
  return minutes ? `${minutes} min ${two(rest)} s` : `${rest} s`;
}

/** First and last second of the day, in the visitor's zone, in which a second lies. */
export function dayAround(second) {
  const start = new Date(second * 1000);
  start.setHours(0, 0, 0, 0);
  const end = new Date(start);
  end.setDate(end.getDate() + 1);
  return [Math.floor(start / 1000), Math.floor(end / 1000) - 1];
}

/** The chain's clock: that of its last block, going on where it goes with the visitor's, else standing still. */
export class Clock {
  /** `blockTime`: of the last block that is known, in seconds. */
  constructor(blockTime, received = Date.now()) {
    this.blockTime = blockTime;
    this.received = received;
    this.goes = Math.abs(received / 1000 - blockTime) < NEAR;
  }

  get now() {
    return this.blockTime + (this.goes ? Math.floor((Date.now() - this.received) / 1000) : 0);
  }
}

const ORDER = ["REVEALING", "MATCHING", "DELIVERING", "METERING", "SETTLING", "CLOSING"];

/** Where a half-hour of the API's `phases` stands at a second: the phase, its end (null: never) and what follows. */
export function phaseAt(period, second) {
  const begun = ORDER.filter((phase) => period.begins[phase] <= second);
  const phase = begun.at(-1) ?? "BIDDING";
  const next = ORDER[begun.length] ?? null;
  return { phase, since: period.begins[phase] ?? null, until: next && period.begins[next], next };
}
