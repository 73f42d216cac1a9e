// The page: what is asked changes -> everything is drawn, the service is asked, the answer is drawn.

import { countOthers, loadColumns, search } from "./api.js";
import { showProduct, startDetail } from "./detail.js";
import { debounced, find, make, products, sentence } from "./dom.js";
import { resultsOf, startEvents } from "./events.js";
import { anyUsed, clear, facetColumns, showFilters, showUsed, startFilters } from "./filters.js";
import { say, showHits, startGrid, toResults, wait } from "./grid.js";
import { inWords, showParts, withoutLost } from "./parts.js";
import { showQuery, startQuery } from "./query.js";
import { NOTHING, change, current, onChange, partCount, write } from "./state.js";

const LATE_MS = 350;
const STARTING_MS = 1000;
const PLACES = 12;
let facets = null; // the columns to count, once they are known
let running = null; // what can stop the search that is under way
let next = null; // {asked, cursor}: the next page, as long as there is one and it has not been asked for
let retry = 0;

const status = (words) => {
  find("said").textContent = words;
};

// --- drawing what is asked -----------------------------------------------------------------------------------------

function drawAsked(asked) {
  showQuery(asked);
  showParts(asked, () => {
    drawTitle(current());
    showQuery(current());
  });
  showUsed(asked);
  find("sort").value = asked.sort;
  drawTitle(asked);
}

function drawTitle(asked) {
  const said = inWords(asked);
  find("results").textContent = said || "Everything";
  document.title = said ? `${said} · lookalike` : "lookalike";
}

// --- asking --------------------------------------------------------------------------------------------------------

/** Ask anew, from the first page. */
async function run() {
  running?.abort();
  clearTimeout(retry);
  const mine = (running = new AbortController());
  goOn(null);
  const asked = current();
  wait({ first: true, places: PLACES });
  try {
    if (!facets?.length) facets = facetColumns(await loadColumns());
    const [answer, others] = await Promise.all([
      search(asked, { facets, signal: mine.signal }),
      countOthers(asked, mine.signal),
    ]);
    if (mine.signal.aborted) return;
    showFilters({ ...answer.facets, ...others }, asked);
    showAnswer(answer, asked);
  } catch (error) {
    if (error.name !== "AbortError" && !mine.signal.aborted) showError(error);
  }
}

function showAnswer(answer, asked) {
  find("notes").replaceChildren(...answer.notes.map(note));
  resultsOf(answer.search_id);
  const came = showHits(answer.results, { first: true });
  goOn(answer.cursor && { asked, cursor: answer.cursor });
  const parts = partCount({ ...asked, photos: withoutLost(asked.photos) });
  if (came) {
    const order = parts ? ", best match first" : "";
    status(`${products(answer.matched)}${order} · ${Math.max(1, Math.round(answer.took_ms.total ?? 0))} ms`);
    return;
  }
  status("No products");
  if (anyUsed(asked)) say("Nothing passes these filters", "Take one away, or widen the prices.", [["Clear the filters", clear]]);
  else if (parts) say("Nothing comes near", "Try other words, or another photo.");
  else say("The shop is empty", "Fill it with: lookalike index FILE");
}

function showError(error) {
  const { code, message, remedy } = error;
  if (code === "starting") {
    status("The shop is being opened…");
    retry = setTimeout(run, STARTING_MS);
    return;
  }
  if (!code) console.error(error); // ours
  status("");
  find("notes").replaceChildren();
  say(sentence(message), remedy ?? "Load the page again; if that does not help, tell whoever runs it.", [isWrong(error) ? ["Start again", startAgain] : ["Try again", run]]);
}

/** Say whether it would go wrong once more if it were asked once more. */
const isWrong = ({ status: code }) => [400, 404, 413, 422].includes(code);

const note = (words) => make("p", { className: "note" }, words);

// --- the pages after the first -------------------------------------------------------------------------------------

function goOn(page) {
  next = page;
  find("more").hidden = !page;
  if (page) {
    watcher.unobserve(find("more")); // so that it tells again, if it is still in sight
    watcher.observe(find("more"));
  }
}

async function nextPage() {
  if (!next) return;
  const page = next;
  const mine = running;
  next = null; // no page is asked for twice
  wait({ first: false, places: 4 });
  try {
    const { results, cursor } = await search(page.asked, { cursor: page.cursor, signal: mine.signal });
    if (mine !== running) return;
    showHits(results, { first: false });
    goOn(results.length && cursor ? { asked: page.asked, cursor } : null);
  } catch (error) {
    if (error.name === "AbortError" || mine !== running) return;
    find("more").hidden = true;
    const again = () => {
      find("trouble").hidden = true;
      goOn(page);
      find("more").focus();
    };
    say("The next page did not come", error.remedy ?? "", isWrong(error) ? [] : [["Try again", again]], { keep: true });
  }
}

const watcher = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && nextPage(), {
  rootMargin: "600px",
});

function startAgain() {
  change(NOTHING);
  toResults();
}

// --- beginning -----------------------------------------------------------------------------------------------------

function startFolding() {
  const narrow = matchMedia("(max-width: 60rem)");
  const filters = find("filters");
  const fold = () => {
    filters.open = !narrow.matches;
  };
  narrow.addEventListener("change", fold);
  fold();
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !narrow.matches || !filters.open) return;
    filters.open = false;
    filters.querySelector("summary").focus();
  });
}

const later = debounced(run, LATE_MS);
let before = current();
onChange((asked, { late }) => {
  const onlyOpened = asked.product !== before.product && write({ ...asked, product: "" }) === write({ ...before, product: "" });
  before = asked;
  drawAsked(asked);
  showProduct(asked);
  if (onlyOpened) return; // or closed: what is found is the same
  if (late) later();
  else later.now();
});
find("sort").addEventListener("change", () => change({ sort: find("sort").value }));
document.querySelector(".brand").addEventListener("click", (event) => {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  startAgain();
});
find("more").addEventListener("click", nextPage);
startQuery((words) => {
  find("notes").replaceChildren(note(words));
  find("notes").scrollIntoView({ block: "nearest" });
});
startFilters();
startGrid();
startDetail(toResults);
startEvents();
startFolding();
drawAsked(current());
showProduct(current());
run();
