// What the service counts, drawn: tiles, tables and bars. A number there is none of is said to be missing, never made up.

import { count, make, words } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const STALE_S = 10; // later than that, an operator should look
const POSITIONS = 12;
const NONE = "none yet";

// --- numbers in words ----------------------------------------------------------------------------------------------

const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const missing = (value) => value === null || value === undefined;
const share = (value) => (missing(value) ? null : percent.format(value));
const decimal = (value) => (missing(value) ? null : value.toFixed(2));

function time(value_ms) {
  if (missing(value_ms)) return null;
  if (value_ms >= 1000) return `${(value_ms / 1000).toFixed(2)} s`;
  return `${value_ms < 10 ? value_ms.toFixed(1) : Math.round(value_ms)} ms`;
}

/** Say how long something lasts, in the two largest units. */
export function lasting(whole_s) {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => whole_s >= size);
  if (first < 0) return "0 s";
  return units
    .slice(first, first + 2)
    .map(([name, size], at) => [Math.floor(at ? (whole_s % units[first][1]) / size : whole_s / size), name])
    .filter(([number]) => number > 0)
    .map(([number, name]) => `${number} ${name}`)
    .join(" ");
}

// --- forms ---------------------------------------------------------------------------------------------------------

function tile(name, value, { note = "", warn = false, text = false } = {}) {
  const none = missing(value);
  return make(
    "div", { className: warn ? "warn" : "" },
    make("dt", {}, name),
    make("dd", { className: `value${none ? " none" : ""}${text ? " text" : ""}` }, none ? NONE : value),
    note && make("dd", { className: "note" }, note),
  );
}

const tiles = (...all) => make("dl", { className: "tiles" }, ...all);

/** Return a bar of `part` of 1. Its number stands beside it, so nobody needs to see it. */
function bar(part) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 8");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const [width, name] of [[100, ""], [100 * part, "part"]]) {
    const rect = document.createElementNS(SVG, "rect");
    for (const [key, value] of Object.entries({ width, height: 8, class: name })) rect.setAttribute(key, value);
    svg.append(rect);
  }
  return make("td", { className: "figure" }, svg);
}

/** Return a table of rows that begin with their name; cells are words, null for a number there is none of, or <td>. */
function table(name, heads, rows, empty) {
  if (!rows.length) return make("p", { className: "empty" }, empty);
  const cell = (value) => (value instanceof Node ? value : make("td", {}, value ?? "–"));
  return make(
    "div", { className: "table", role: "group", "aria-label": name, tabIndex: 0 }, // it may scroll, so keys must get there
    make(
      "table", {},
      make("thead", {}, make("tr", {}, ...heads.map((head) => (head ? make("th", { scope: "col" }, head) : make("td", { className: "figure" }))))),
      make("tbody", {}, ...rows.map(([first, ...rest]) => make("tr", {}, make("th", { scope: "row" }, first), ...rest.map(cell)))),
    ),
  );
}

const after = (said) => make("p", { className: "soft after" }, said);

// --- what is shown -------------------------------------------------------------------------------------------------

function state(told) {
  const { stale_s, versions } = told;
  const others = Object.entries(versions).filter(([name]) => name !== "lookalike");
  const fresh = missing(stale_s) ? null : stale_s < 1 ? "under 1 s" : lasting(stale_s);
  return [tiles(
    tile("Products", count(told.products)),
    tile("Behind by", fresh, {
      warn: stale_s > STALE_S,
      note: stale_s > STALE_S ? "the catalogue is not being read: see the log" : "what was written before is found",
    }),
    tile("Sequence", count(Number(told.snapshot.replace("seq-", ""))), { note: "of changes, searchable" }),
    tile("Encoder", told.encoder.name, { note: told.encoder.fingerprint, text: true }),
    tile("Workers", count(told.workers), { note: `process ${told.pid} answered` }),
    tile("Up for", lasting(told.uptime_s), { note: "that process" }),
    tile("Version", versions.lookalike, { note: others.map((pair) => pair.join(" ")).join(", "), text: true }),
  )];
}

function searches(told) {
  const { recall, searches: { total } } = told;
  const { latency } = total;
  const exact = Object.values(told.spaces).every((space) => space.exact);
  return [tiles(
    tile("Searches", count(total.searches)),
    tile("Time, p50", time(latency?.p50_ms), { note: "half were answered within" }),
    tile("Time, p95", time(latency?.p95_ms)),
    tile("Time, p99", time(latency?.p99_ms)),
    tile("Without results", share(total.zero_result_share), { note: "of searches" }),
    tile("Diversity", decimal(total.diversity), { note: "pairs of results of two categories" }),
    tile("Recall, live", recall.measured ? share(recall.recall_at_10) : exact ? "exact" : null, {
      text: !recall.measured && exact,
      note: recall.measured ? `of the true first ten, in ${count(recall.measured)} searches since the start`
        : exact ? "every index is, so the nearest are found" : "an index is approximate",
    }),
  )];
}

function clicks(told) {
  const { total, events } = told.searches;
  const came = (action) => `${count(events[action] ?? 0)} reported`;
  return [tiles(
    tile("Results seen", count(total.seen), { note: "the base of the shares" }),
    tile("Click-through", share(total.ctr), { note: came("click") }),
    tile("MRR of the first click", decimal(total.mrr), { note: "1: always the first product" }),
    tile("Into the cart", share(total.add_to_cart_rate), { note: came("add_to_cart") }),
    tile("Bought", share(total.purchase_rate), { note: came("purchase") }),
  )];
}

const asked = (phrase) => make("a", { href: `./?${new URLSearchParams({ q: phrase })}` }, phrase);
const ctr = ({ seen, clicked }) => (seen ? share(clicked / seen) : null);

function top({ searches: { top_queries: phrases } }) {
  const most = Math.max(...phrases.map((each) => each.searches));
  const rows = phrases.map((each) => [asked(each.phrase), bar(each.searches / most), count(each.searches), ctr(each), count(each.zero_results)]);
  return [table("Phrases searched for most", ["Phrase", "", "Searches", "CTR", "In vain"], rows, "No phrases were searched for in this time.")];
}

function vain({ searches: { zero_result_queries: phrases } }) {
  const most = Math.max(...phrases.map((each) => each.zero_results));
  const rows = phrases.map((each) => [asked(each.phrase), bar(each.zero_results / most), count(each.zero_results), count(each.searches)]);
  return [table("Phrases searched for in vain", ["Phrase", "", "In vain", "Searches"], rows, "No phrase was searched for in vain.")];
}

function kinds({ searches: { by_kind, total } }) {
  const rows = Object.entries(by_kind).map(([kind, each]) => [
    words(kind), bar(total.searches ? each.searches / total.searches : 0), count(each.searches),
    time(each.latency?.p50_ms), time(each.latency?.p95_ms), time(each.latency?.p99_ms), share(each.ctr), share(each.zero_result_share),
  ]);
  return [table("By kind of search", ["Kind", "", "Searches", "p50", "p95", "p99", "CTR", "In vain"], rows, "No searches in this time.")];
}

function places({ searches: { by_position } }) {
  const some = by_position.slice(0, POSITIONS);
  const most = Math.max(...some.map((each) => each.ctr));
  const rows = some.map((each) => [String(each.position), bar(most ? each.ctr / most : 0), share(each.ctr), count(each.clicked), count(each.seen)]);
  return [table("Clicks by position", ["Position", "", "CTR", "Clicked", "Seen"], rows, "Nothing was reported as seen or clicked.")];
}

function requests({ requests: routes, workers }) {
  const of = (statuses, first) => Object.entries(statuses).reduce((sum, [status, number]) => sum + (status.startsWith(first) ? number : 0), 0);
  const bad = (number) => make("td", { className: number ? "bad" : "" }, count(number));
  const rows = Object.entries(routes)
    .map(([route, statuses]) => [route === "none" ? "no such route" : route, of(statuses, ""), statuses])
    .sort(([, one], [, other]) => other - one)
    .map(([route, all, statuses]) => [route, count(all), count(of(statuses, "2")), count(of(statuses, "3")), count(of(statuses, "4")), bad(of(statuses, "5"))]);
  return [
    table("Requests by route and status", ["Route", "All", "2xx", "3xx", "4xx", "5xx"], rows, "None yet."),
    after(`Not of the chosen period: they are counted in memory${workers > 1 ? ", by all workers together" : ""}.`),
  ];
}

function index({ spaces, recall }) {
  const rows = Object.entries(spaces).map(([space, { vectors, exact }]) => [words(space), count(vectors), exact ? "exact" : "approximate"]);
  const found = recall.by_plan.map((each) => [
    words(each.plan), each.selectivity === "none" ? "no filter" : each.selectivity, share(each.recall_at_10), count(each.measured),
  ]);
  return [
    table("Vectors by space", ["Space", "Vectors", "Now"], rows, "None."),
    ...(found.length ? [
      table("Recall by plan and share that matched", ["Plan", "Matched", "Recall at 10", "Searches"], found, ""),
      after(`Of ${share(recall.share)} of the searches, repeated exactly since the start.`),
    ] : []),
  ];
}

export const SHOWN = { state, searches, clicks, top, vain, kinds, places, requests, index };
