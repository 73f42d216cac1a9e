// The operators' page: asks the service how it does, draws the answer, and asks again while somebody looks.

import { ask, askForKey } from "./ask.js";
import { find, sentence } from "./dom.js";
import { SHOWN } from "./measures.js";

const EVERY_MS = 10_000;
const EASE = 5; // an answer that took long is not asked for again before so many times as long
const DAYS = ["1", "7", "30"];
const drawn = {}; // what each part was last drawn from
let timer = 0;
let running = null;
let shown = null; // when the numbers came that are shown
let failed = false;
let shut = false; // it takes another key

const chosen = () => find("choice").elements.days.value;
const clock = (date) => date.toLocaleTimeString();

// --- asking --------------------------------------------------------------------------------------------------------

async function run() {
  clearTimeout(timer);
  running?.abort();
  const mine = (running = new AbortController());
  const began_ms = performance.now();
  try {
    const told = await ask(`v1/stats?days=${chosen()}`, null, mine.signal);
    if (mine.signal.aborted) return;
    show(told);
  } catch (error) {
    if (error.name === "AbortError" || mine.signal.aborted) return;
    if (!error.code) console.error(error); // ours
    fail(error);
    shut = error.status === 401 || error.code === "forbidden";
    if (shut) return; // it will be so in ten seconds as well
  }
  goOn(Math.max(EVERY_MS, EASE * (performance.now() - began_ms)));
}

function goOn(wait_ms) {
  clearTimeout(timer);
  if (find("live").checked && !document.hidden) timer = setTimeout(run, wait_ms);
}

// --- drawing -------------------------------------------------------------------------------------------------------

function show(told) {
  shown = new Date();
  find("when").textContent = `The last ${chosen() === "1" ? "day" : `${chosen()} days`}, as of ${clock(shown)}`;
  find("trouble").hidden = true;
  find("told").textContent = failed ? "The numbers are up to date again" : "";
  failed = shut = false;
  const at = document.activeElement?.closest?.("#numbers a")?.getAttribute("href");
  const part = document.activeElement?.closest?.("#numbers section")?.getAttribute("aria-labelledby");
  for (const [id, draw] of Object.entries(SHOWN)) drawPart(id, draw(told));
  find("numbers").hidden = false;
  if (at && !document.activeElement?.closest("#numbers")) {
    document.querySelector(`[aria-labelledby="${part}"] a[href="${CSS.escape(at)}"]`)?.focus();
  }
}

/** Draw a part anew if it has changed: else a table that somebody scrolls or reads would jump. */
function drawPart(id, elements) {
  const now = elements.map((element) => element.outerHTML).join("");
  if (drawn[id] === now) return;
  drawn[id] = now;
  find(id).replaceChildren(...elements);
}

function fail(error) {
  failed = true;
  const { message, remedy } = error;
  const old = shown ? ` What is shown is of ${clock(shown)}.` : "";
  const said = `Cannot refresh: ${message}. ${remedy ?? "Load the page again."}${old}`;
  if (find("trouble-said").textContent !== said || find("trouble").hidden) find("trouble-said").textContent = said;
  find("trouble").hidden = false;
  const isOther = error.code === "forbidden"; // of another scope
  find("again").textContent = isOther ? "Use another key" : "Try again";
  find("again").onclick = () => (isOther ? askForKey(error).then(run, () => {}) : run());
  if (!shown) find("when").textContent = "No numbers yet";
  find("told").textContent = "";
}

// --- beginning -----------------------------------------------------------------------------------------------------

const wanted = new URLSearchParams(location.search).get("days");
find("choice").elements.days.value = DAYS.includes(wanted) ? wanted : "7";
find("choice").addEventListener("change", () => {
  history.replaceState(null, "", `?days=${chosen()}`);
  run();
});
find("choice").addEventListener("submit", (event) => event.preventDefault());
find("live").addEventListener("change", () => (find("live").checked ? run() : clearTimeout(timer)));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else if (find("live").checked && !shut) run();
});
run();
