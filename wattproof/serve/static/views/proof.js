// The proof's view: how far the watcher is, what it checked how often, and every alarm with its story and its replay.
import { address, pageOf } from "../addresses.js";
import { get } from "../api.js";
import { h } from "../dom.js";
import { badge, code, note, quiet, section, tiles } from "../parts.js";
import { number, pager, table } from "../table.js";
import { duration, moment } from "../times.js";
import { counted, grouped } from "../units.js";

export const TITLE = "The proof";
const ROWS = 12;
const ALARMS = 5;
const DIGITS = 10; // of a hash that are shown

const LEAD = "Every call of the market is made a second time on the terms, written as a program that shares nothing "
  + "with the contract. After each block outcome, events and accounts of the two are compared, and the invariants are "
  + "checked.";

const UNSEEN = [
  "Transfers of the token between accounts outside the market, and ether that is forced on a contract.",
  "Whether a meter told the truth: only whether it signed.",
  "Anything later than the last block that was checked."];

export async function load({ parameters }) {
  const [watcher, alarms, blocks] = await Promise.all([
    get("invariants"),
    get("alarms", { per_page: ALARMS, page: pageOf(parameters, "alarms") }),
    get("blocks", { per_page: ROWS, page: pageOf(parameters, "blocks") })]);
  return { watcher, alarms, blocks };
}

export function draw({ watcher, alarms, blocks }, { parameters, status }) {
  const at = (name) => (page) => address("proof", parameters, { [name]: page });
  return [
    h("h1", { tabindex: "-1" }, TITLE),
    h("p", { class: "lead" }, LEAD),
    reach(watcher, status),
    section("alarms", `Alarms (${grouped(alarms.total)})`, {}, alarms.items.map(article),
      !alarms.items.length && h("p", { class: "good" }, "No alarm: contract and terms agreed in all that was checked."),
      pager(alarms, "alarms", at("alarms"))),
    section("invariants", "Invariants", {}, invariants(watcher)),
    section("blocks", "Blocks checked", {}, blocksTable(blocks), pager(blocks, "blocks", at("blocks"))),
    section("unseen", "What this cannot see", {}, h("ul", {}, UNSEEN.map((one) => h("li", {}, one)))),
  ];
}

function reach(watcher, { counts, head }) {
  const { blocks, first_block, last_block, behind_blocks, behind_seconds, alarms, invariants } = watcher;
  const checks = invariants.reduce((sum, one) => sum + one.checks, 0);
  const left = behind_blocks ? counted(behind_blocks, "block") : "up to date";
  const at = head ? `head: block ${grouped(head.number)}` : "the chain's head is not known";
  return section("reach", "The watcher", {}, tiles(
    ["Blocks checked", grouped(blocks), blocks ? `${grouped(first_block)} to ${grouped(last_block)}` : null],
    ["Behind", behind_blocks === null ? "not known" : left,
      behind_blocks ? `${duration(behind_seconds)} on the chain's clock` : at],
    ["Calls repeated", grouped(counts.calls), `${counted(counts.events, "event")} compared`],
    ["Checks", grouped(checks), `of ${counted(invariants.length, "invariant")}`],
    ["Alarms", grouped(alarms), alarms ? "see below" : "none"]));
}

function article(alarm, place) {
  const id = `${alarm.block}-${alarm.index}`;
  return h("article", { class: "alarm", "aria-labelledby": `alarm-${id}` },
    h("h3", { id: `alarm-${id}` }, `${alarm.invariant}, block ${grouped(alarm.block)}`, note(moment(alarm.timestamp))),
    h("p", {}, alarm.what),
    lines(`story-${id}`, "The story: what happened", alarm.story, place === 0),
    lines(`replay-${id}`, "The replay: lines for wattproof repl", alarm.replay, false));
}

function lines(id, name, text, open) {
  if (!text) return quiet(`${name.split(":")[0]}: none was told.`);
  return h("details", { id, open }, h("summary", {}, name),
    h("pre", { tabindex: "0", role: "region", "aria-label": name }, text),
    navigator.clipboard && h("button", { type: "button", click: copy, "aria-label": `Copy: ${name}` }, "Copy"));
}

async function copy(event) {
  const button = event.currentTarget;
  try {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not copied: select the text";
  }
}

function invariants(watcher) {
  return table({ id: "invariants", caption: "What is checked, and how often it was", empty: "Nothing was checked yet.",
    rows: [...watcher.invariants].sort((one, other) => other.alarms - one.alarms),
    columns: [
      { name: "Invariant", head: true, of: (one) => [one.invariant, one.says && note(one.says)] },
      { name: "Result", of: result },
      number("Checks", (one) => grouped(one.checks)),
    ] });
}

function result({ alarms, checks }) {
  if (alarms) return badge([counted(alarms, "alarm")], "REJECTED");
  return checks ? badge(["holds"], "CONFIRMED") : badge(["not checked yet"], "");
}

function blocksTable(blocks) {
  return table({ id: "blocks", caption: `Blocks (${grouped(blocks.total)})`, rows: blocks.items,
    empty: "No block was checked yet.",
    columns: [
      { name: "Block", head: true, of: (block) => grouped(block.number) },
      { name: "Time", of: (block) => moment(block.timestamp) },
      number("Calls", (block) => grouped(block.calls)),
      number("Events", (block) => grouped(block.events)),
      number("Alarms", (block) => grouped(block.alarms)),
      { name: "Hash", of: (block) => code(`${block.hash.slice(0, DIGITS)}…`, block.hash) },
    ] });
}
