// The page: which view is shown, and when it is drawn again.
import { ApiProblem, get } from "./api.js";
import { announce, h, swap } from "./dom.js";
import { notices, showNotices } from "./notices.js";
import { code, quiet } from "./parts.js";
import { short } from "./people.js";
import { follow } from "./stream.js";
import { Clock, duration, zone } from "./times.js";
import { Units, grouped } from "./units.js";
import * as community from "./views/community.js";
import * as household from "./views/household.js";
import * as proof from "./views/proof.js";

const VIEWS = { community, household, proof };
const CLOCK_STEP = 30; // seconds of the chain's clock after which phases are asked for again
const NARROWEST = 240; // pixels: less than this is a page that is not laid out yet
const main = document.getElementById("main");
const everyDecimal = document.getElementById("every-decimal");

/** What is known: the API's status, when it answered, when its last block changed, the last alarm, the view's data. */
const known = {
  version: null, status: null, clock: null, problem: null, answered: null, changed: null, alarm: null, data: null,
  shown: null,
};

/** The view and what the address says of it: "#/household/0x…?bids=2". */
function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [head, ...rest] = path.split("/");
  const view = head === "" ? "community" : head;
  const argument = decoded(rest.join("/"));
  return { view: Object.hasOwn(VIEWS, view) ? view : "community", argument, parameters: new URLSearchParams(query) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

async function refresh() {
  const asked = route();
  try {
    const status = await get("status");
    if (known.status?.watched?.hash !== status.watched?.hash) known.changed = Date.now();
    if (status.now !== null && (known.status?.now !== status.now || !known.clock)) known.clock = new Clock(status.now);
    known.status = status;
    const version = versionOf(asked);
    if (version !== known.version) {
      const [alarms, data] = await Promise.all([
        status.counts.alarms ? get("alarms", { per_page: 1 }) : { items: [], total: 0 },
        status.watched ? VIEWS[asked.view].load({ ...asked, status, clock: known.clock }) : null]);
      if (placeOf(route()) !== placeOf(asked)) return refresh(); // The visitor went on meanwhile.
      const alarm = alarms.items.length ? { ...alarms.items[0], total: alarms.total } : null;
      Object.assign(known, { data, alarm, version, shown: asked });
    }
    Object.assign(known, { problem: null, answered: Date.now() });
  } catch (problem) {
    known.problem = problem instanceof ApiProblem ? problem : misunderstood(problem);
  }
  draw();
}

/** What an API of another version, or anything else at its address, comes to. */
function misunderstood(error) {
  console.error(error);
  return new ApiProblem("This page does not understand what the data API says: load it anew.", -1);
}

/** What the figures depend on: as long as it is the same, none are asked for. */
function versionOf(asked) {
  const { status, clock } = known;
  const step = clock?.goes ? Math.floor(clock.now / CLOCK_STEP) : status.now;
  return JSON.stringify([placeOf(asked), status.watched?.hash, status.counts.alarms, step]);
}

const placeOf = ({ view, argument, parameters }) => `${view}/${argument}?${parameters}`;

function draw() {
  showNotices(notices(known));
  if (known.problem && !known.answered) {
    return swap(main, quiet("No figures to show yet."));
  }
  if (!known.shown) return;
  const { view } = known.shown;
  for (const link of document.querySelectorAll("nav[aria-label=Views] a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (known.data) drawView(view);
  else swap(main, h("h1", { tabindex: "-1" }, VIEWS[view].TITLE), quiet("Nothing to show yet: no block was checked."));
  document.title = `${main.querySelector("h1")?.textContent ?? "Wattproof"} · Wattproof`;
  standing();
  count();
  arrived(view);
}

function drawView(view) {
  try {
    swap(main, VIEWS[view].draw(known.data, context()));
  } catch (error) {
    showNotices(notices({ ...known, problem: misunderstood(error) }));
  }
}

let last = null;

/** Moves the focus to a view's heading where another view than before is shown; not at the first one. */
function arrived(view) {
  const where = `${view}/${known.shown.argument}`;
  if (last !== null && last !== where) {
    scrollTo({ top: 0, behavior: "instant" });
    main.querySelector("h1")?.focus({ preventScroll: true });
    announce(`${main.querySelector("h1")?.textContent}`);
  }
  last = where;
}

/** What a view needs to be drawn. */
function context() {
  const { status, clock } = known;
  const token = status.market.token;
  return { status, clock, ...known.shown, width: inside(),
    units: new Units(token.decimals, token.symbol, BigInt(status.tariff.ssp), everyDecimal.checked) };
}

/** Pixels that a view has from left to right. */
function inside() {
  const { paddingLeft, paddingRight } = getComputedStyle(main);
  return Math.max(NARROWEST, Math.floor(main.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight)));
}

/** The line at the bottom: which market, as of which block, how it is kept up to date, in which zone the times are. */
function standing() {
  const { market, watched } = known.status;
  swap(document.getElementById("standing"),
    h("p", {}, "Market ", code(short(market.address), market.address), ` on chain ${market.chain_id}`,
      watched && `, as of block ${grouped(watched.number)}`, ". Times are in your zone, ", zone(), ". ",
      following.streaming() ? "New blocks are shown as they come." : "This page asks for news every few seconds.",
      " ", h("a", { href: "docs" }, "Data API")));
}

/** What is left of each phase that is shown: [element, seconds]. */
function left() {
  const now = known.clock?.now;
  return [...document.querySelectorAll("[data-until]")].map((one) => [one, Number(one.dataset.until) - now]);
}

/** Writes what is left of phases. */
function count() {
  for (const [element, seconds] of left()) element.textContent = duration(seconds);
}

/** Each second: draws anew where a phase is over. */
function tick() {
  if (left().some(([, seconds]) => seconds <= 0)) draw();
  else count();
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // Addresses behind the # name views.
  main.focus();
});
everyDecimal.addEventListener("change", draw);
addEventListener("redraw", draw);
addEventListener("wanted", () => {
  known.version = null;
  following.now();
});
let drawn = inside();
new ResizeObserver(() => {
  if (inside() === drawn) return;
  drawn = inside();
  draw();
}).observe(main);
setInterval(tick, 1000);
const following = follow(refresh);
addEventListener("hashchange", following.now);
following.now();
