// What must be known whatever one looks at: alarms first, then whether what is shown is what is.
import { announce, h, swap } from "./dom.js";
import { clockTime, duration } from "./times.js";
import { counted, grouped } from "./units.js";

const BEHIND = 3; // blocks that a watcher may be behind without a word
const STILL = 120_000; // milliseconds without a new block that are worth a word

/** The notices, worst first: [{ level: "alarm" | "warning" | "info", word, text, link }]. */
export function notices({ status, problem, answered, changed, alarm }) {
  const found = [];
  if (alarm) {
    const more = alarm.total > 1 ? ` It is the last of ${grouped(alarm.total)} alarms.` : "";
    found.push({ level: "alarm", word: "Alarm", link: "#/proof",
      text: `The contract did not do what the terms say: ${alarm.invariant}, in block ${alarm.block}: ${alarm.what}.${more}` });
  }
  if (problem) {
    const shown = answered ? ` What is shown is from ${clockTime(answered / 1000)}; this page keeps asking.` : " This page keeps asking.";
    found.push({ level: "warning", word: problem.status === 0 ? "No connection" : "Trouble", text: problem.message + shown });
  }
  if (!status) return found;
  if (!status.watched) {
    found.push({ level: "info", word: "Nothing yet",
      text: "No block has been checked so far. Figures appear once the watcher (wattproof watch) has read the first one." });
  } else if (status.behind_blocks > BEHIND) {
    found.push({ level: "warning", word: "The watcher is behind",
      text: `It has still to check ${counted(status.behind_blocks, "block")} (${duration(status.behind_seconds)} on the chain's clock). What is shown is as of block ${grouped(status.watched.number)}.` });
  } else if (!problem && changed && Date.now() - changed > STILL) {
    found.push({ level: "info", word: "No news",
      text: `No block was checked since ${clockTime(changed / 1000)}. Either the chain makes none, or the watcher has stopped.` });
  }
  return found;
}

/** Shows them, and says new ones to a screen reader. */
export function showNotices(found) {
  swap(document.getElementById("notices"), found.map(({ level, word, text, link }) =>
    h("p", { class: `notice ${level}` }, h("strong", {}, `${word}: `), text, link && [" ", h("a", { href: link }, "See the proof")])));
  const worst = found[0];
  // How far behind changes with every block: it is enough to hear once that it is.
  if (worst && worst.level !== "info") announce(worst.level === "alarm" ? `${worst.word}: ${worst.text}` : `${worst.word}.`);
}
