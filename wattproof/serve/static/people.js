// Who is who. The chain knows addresses only; names are given by the visitor and stay in this browser.
import { h } from "./dom.js";

const KEY = "wattproof.names";
const LONGEST = 40;

/** "0x1234…cdef" */
export const short = (address) => `${address.slice(0, 6)}…${address.slice(-4)}`;

/** The names that were given here, by address in small letters; none where the browser keeps nothing. */
function names() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

export function nameOf(address) {
  const name = names()[address.toLowerCase()];
  return typeof name === "string" ? name : "";
}

/** Names an address in this browser; an empty name takes it away. False where the browser keeps nothing. */
export function setName(address, name) {
  const all = names();
  const kept = name.trim().slice(0, LONGEST);
  if (kept) all[address.toLowerCase()] = kept;
  else delete all[address.toLowerCase()];
  try {
    localStorage.setItem(KEY, JSON.stringify(all));
    return true;
  } catch {
    return false;
  }
}

/** A link to somebody's own view, by name or short address. */
export function person(address) {
  const name = nameOf(address);
  const shown = { class: name ? null : "address", title: address };
  return h("a", { href: `#/household/${address}`, ...shown }, name || short(address));
}

/** Whether a text is an address. */
export const isAddress = (text) => /^0x[0-9a-fA-F]{40}$/.test(text);
