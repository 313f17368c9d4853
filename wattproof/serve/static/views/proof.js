// The proof's view: how far the watcher is, what it checked how often, and every alarm with its story and its replay.
import { get } from "../api.js";
import { h } from "../dom.js";
import { badge, pager, table, tiles } from "../table.js";
import { duration, moment } from "../times.js";
import { counted, grouped } from "../units.js";
import { changed, whole } from "./community.js";

export const TITLE = "The proof";
const ROWS = 12;
const ALARMS = 5;

export async function load({ parameters }) {
  const [watcher, alarms, blocks] = await Promise.all([
    get("invariants"), get("alarms", { per_page: ALARMS, page: whole(parameters.get("alarms")) ?? 1 }),
    get("blocks", { per_page: ROWS, page: whole(parameters.get("blocks")) ?? 1 })]);
  return { watcher, alarms, blocks };
}

export function draw({ watcher, alarms, blocks }, { parameters, status }) {
  const at = (name) => (page) => `#/proof?${changed(parameters, { [name]: page })}`;
  return [
    h("h1", { tabindex: "-1" }, TITLE),
    h("p", { class: "lead" }, "Every call of the market is made a second time on the terms, written as a program that shares nothing with the contract. ",
      "After each block outcome, events and accounts of the two are compared, and the invariants are checked."),
    reach(watcher, status),
    alarmsOf(alarms, at("alarms")),
    invariants(watcher),
    h("section", { "aria-labelledby": "blocks-title" }, h("h2", { id: "blocks-title" }, "Blocks checked"), blocksTable(blocks), pager(blocks, "blocks", at("blocks"))),
    unseen(),
  ];
}

function reach(watcher, status) {
  const checks = watcher.invariants.reduce((sum, one) => sum + one.checks, 0);
  const behind = watcher.behind_blocks;
  return h("section", { "aria-labelledby": "reach-title" }, h("h2", { id: "reach-title" }, "The watcher"), tiles([
    ["Blocks checked", grouped(watcher.blocks), watcher.blocks ? `${grouped(watcher.first_block)} to ${grouped(watcher.last_block)}` : null],
    ["Behind", behind === null ? "not known" : behind === 0 ? "up to date" : counted(behind, "block"),
      behind ? `${duration(watcher.behind_seconds)} on the chain's clock` : `head: block ${status.head ? grouped(status.head.number) : "not known"}`],
    ["Calls repeated", grouped(status.counts.calls), `${counted(status.counts.events, "event")} compared`],
    ["Checks", grouped(checks), `of ${counted(watcher.invariants.length, "invariant")}`],
    ["Alarms", grouped(watcher.alarms), watcher.alarms ? "see below" : "none"],
  ]));
}

function alarmsOf(alarms, page) {
  return h("section", { "aria-labelledby": "alarms-title" }, h("h2", { id: "alarms-title" }, `Alarms (${grouped(alarms.total)})`),
    alarms.items.length ? alarms.items.map((alarm, index) => article(alarm, index === 0))
      : h("p", { class: "good" }, "No alarm: contract and terms agreed in everything that was checked."),
    pager(alarms, "alarms", page));
}

function article(alarm, open) {
  const id = `${alarm.block}-${alarm.index}`;
  return h("article", { class: "alarm", "aria-labelledby": `alarm-${id}` },
    h("h3", { id: `alarm-${id}` }, `${alarm.invariant}, block ${grouped(alarm.block)}`, h("span", { class: "note" }, moment(alarm.timestamp))),
    h("p", {}, alarm.what),
    lines(`story-${id}`, "The story: what happened", alarm.story, open),
    lines(`replay-${id}`, "The replay: lines for wattproof repl", alarm.replay, false));
}

function lines(id, name, text, open) {
  if (!text) return h("p", { class: "quiet" }, `${name.split(":")[0]}: none was told.`);
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
  const rows = [...watcher.invariants].sort((one, other) => other.alarms - one.alarms);
  return h("section", { "aria-labelledby": "invariants-title" }, h("h2", { id: "invariants-title" }, "Invariants"),
    table({ id: "invariants", caption: "What is checked, and how often it was", rows, empty: "Nothing was checked yet.",
      columns: [
        { name: "Invariant", head: true, of: (one) => [one.invariant, one.says && h("span", { class: "note" }, one.says)] },
        { name: "Result", of: (one) => result(one) },
        { name: "Checks", number: true, of: (one) => grouped(one.checks) },
      ] }));
}

function result({ alarms, checks }) {
  if (alarms) return badge([counted(alarms, "alarm")], "REJECTED");
  return checks ? badge(["holds"], "CONFIRMED") : badge(["not checked yet"], "");
}

function blocksTable(blocks) {
  return table({ id: "blocks", caption: `Blocks (${grouped(blocks.total)})`, rows: blocks.items, empty: "No block was checked yet.",
    columns: [
      { name: "Block", head: true, of: (block) => grouped(block.number) },
      { name: "Time", of: (block) => moment(block.timestamp) },
      { name: "Calls", number: true, of: (block) => grouped(block.calls) },
      { name: "Events", number: true, of: (block) => grouped(block.events) },
      { name: "Alarms", number: true, of: (block) => grouped(block.alarms) },
      { name: "Hash", of: (block) => h("span", { class: "address", title: block.hash }, `${block.hash.slice(0, 10)}…`) },
    ] });
}

function unseen() {
  return h("section", { "aria-labelledby": "unseen-title" }, h("h2", { id: "unseen-title" }, "What this cannot see"),
    h("ul", {},
      h("li", {}, "Transfers of the token between accounts outside the market, and ether that is forced on a contract."),
      h("li", {}, "Whether a meter told the truth: only whether it signed."),
      h("li", {}, "Anything later than the last block that was checked.")));
}
