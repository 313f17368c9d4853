// Tells when there is something new: by the API's stream where there is one, and by asking every few seconds where not.
import { streamAddress } from "./api.js";

const ASK = 4_000; // milliseconds between questions without a stream
const ASK_ANYWAY = 15_000; // with one: it may be dead without a word
const AGAIN = 60_000; // until a stream that was refused is tried again
const REST = 1_000; // the least between two refreshes

/** Calls `refresh` (which returns a promise) whenever something may be new, but not while nobody looks.
 *
 * `now()` calls it at once; `streaming()` tells whether news come by themselves.
 */
export function follow(refresh) {
  let source = null;
  let due = null;
  let again = null;
  let busy = false;
  let missed = false;

  const streaming = () => source?.readyState === EventSource.OPEN;

  async function run() {
    clearTimeout(due);
    due = null;
    if (busy) {
      missed = true;
      return;
    }
    busy = true;
    try {
      await refresh();
    } finally {
      busy = false;
      if (!document.hidden) plan(missed ? REST : streaming() ? ASK_ANYWAY : ASK);
      missed = false;
    }
  }

  function plan(wait) {
    clearTimeout(due);
    due = setTimeout(run, wait);
  }

  let soon = false;
  function news() {
    if (soon) return;
    soon = true;
    setTimeout(() => {
      soon = false;
      run();
    }, REST);
  }

  function listen() {
    clearTimeout(again);
    source?.close();
    source = new EventSource(streamAddress());
    for (const kind of ["block", "alarm", "rollback"]) source.addEventListener(kind, news);
    source.onopen = news;
    source.onerror = () => {
      if (!busy) plan(REST);
      if (source.readyState === EventSource.CLOSED) again = setTimeout(listen, AGAIN);
    };
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      // The server has few streams: none is held that nobody reads.
      source.close();
      clearTimeout(again);
      clearTimeout(due);
    } else {
      listen();
      run();
    }
  });
  listen();
  return { now: run, streaming };
}
