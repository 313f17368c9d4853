// What must be known whatever one looks at: alarms first, then whether what is shown is what is.
import { announce, h, swap } from "./dom.js";
import { clockTime, duration } from "./times.js";
import { counted, grouped } from "./units.js";

const BEHIND = 3; // blocks that a watcher may be behind without a word
const STILL = 120_000; // milliseconds without a new block that are worth a word

/** The notices, worst first: [{ level: "alarm" | "warning" | "info", word, text, link }]. */
export function notices({ status, problem, answered, changed, alarm }) {
  const found = [alarm && raised(alarm), problem && broken(problem, answered)];
  return [...found, status && pace(status, problem, changed)].filter(Boolean);
}

function raised({ invariant, block, what, total }) {
  const more = total > 1 ? ` It is the last of ${grouped(total)} alarms.` : "";
  return { level: "alarm", word: "Alarm", link: "#/proof",
    text: `The contract did not do what the terms say: ${invariant}, in block ${block}: ${what}.${more}` };
}

function broken({ status, message }, answered) {
  const from = answered ? ` What is shown is from ${clockTime(answered / 1000)}; this page keeps asking.` : "";
  return { level: "warning", word: status === 0 ? "No connection" : "Trouble",
    text: `${message}${from || " This page keeps asking."}` };
}

/** Whether the watcher keeps pace with the chain. */
function pace({ watched, behind_blocks: blocks, behind_seconds: seconds }, problem, changed) {
  if (!watched) {
    return { level: "info", word: "Nothing yet",
      text: "No block has been checked so far. Figures appear once the watcher (wattproof watch) has read the first." };
  }
  if (blocks > BEHIND) {
    const left = `${counted(blocks, "block")} (${duration(seconds)} on the chain's clock)`;
    return { level: "warning", word: "The watcher is behind",
      text: `It has still to check ${left}. What is shown is as of block ${grouped(watched.number)}.` };
  }
  if (!problem && changed && Date.now() - changed > STILL) {
    const since = clockTime(changed / 1000);
    return { level: "info", word: "No news",
      text: `No block was checked since ${since}. Either the chain makes none, or the watcher has stopped.` };
  }
  return null;
}

/** Shows them, and says new ones to a screen reader. */
export function showNotices(found) {
  swap(document.getElementById("notices"), found.map(({ level, word, text, link }) =>
    h("p", { class: `notice ${level}` }, h("strong", {}, `${word}: `), text,
      link && [" ", h("a", { href: link }, "See the proof")])));
  const worst = found[0];
  // How far behind changes with every block: it is enough to hear once that it is.
  if (worst?.level === "alarm") announce(`${worst.word}: ${worst.text}`);
  else if (worst?.level === "warning") announce(`${worst.word}.`);
}
