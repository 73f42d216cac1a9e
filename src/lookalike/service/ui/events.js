// What becomes of results: which were seen, which were clicked. Told to the service, many together, without cookies.
//
// Who asks is a random name that lives as long as the tab; a session is as long as the page is open.

import { find } from "./dom.js";

const CLIENT = "lookalike.client";
const KEY = "lookalike.key";
const WAIT_MS = 2000;
const MOST = 100; // events of one request: what is sent when the page is left must be small
const CLICKS = ".open, .like:not(.less)"; // to look for more like it is to click as well
const session = random();
let query = ""; // the search whose results are in the grid
let waiting = [];
let timer = 0;

function random() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Return what this tab calls itself. */
export function client() {
  const name = sessionStorage.getItem(CLIENT) ?? random();
  sessionStorage.setItem(CLIENT, name);
  return name;
}

/** Say which search the results that come from now on belong to; its later pages belong to it too. */
export function resultsOf(searchId) {
  query = searchId;
}

function tell(action, place) {
  const ordinal = [...find("hits").children].indexOf(place) + 1;
  if (ordinal === 0 || !place.dataset.query) return; // gone already
  waiting.push({
    action_name: action, query_id: place.dataset.query, client_id: client(), session_id: session, event_id: random(),
    event_attributes: { object: { object_id: place.dataset.id }, position: { ordinal } },
  });
  timer ||= setTimeout(send, WAIT_MS);
  if (action === "click") send(); // the page may be left right after
}

function send() {
  clearTimeout(timer);
  timer = 0;
  const key = sessionStorage.getItem(KEY);
  const headers = { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) };
  while (waiting.length) {
    const body = JSON.stringify({ events: waiting.splice(0, MOST) });
    fetch("v1/events", { method: "POST", keepalive: true, headers, body }).catch(() => {}); // lost, and no harm done
  }
}

/** Watch the grid from now on. */
export function startEvents() {
  const hits = find("hits");
  const seeing = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seeing.unobserve(target);
      tell("impression", target);
    }
  }, { threshold: 0.5 });
  new MutationObserver((changes) => {
    for (const place of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
      if (!place.dataset?.id) continue;
      place.dataset.query = query;
      seeing.observe(place);
    }
  }).observe(hits, { childList: true });
  const clicked = (event) => {
    const place = event.target.closest?.(CLICKS)?.closest("li[data-id]");
    if (place) tell("click", place);
  };
  hits.addEventListener("click", clicked, { capture: true }); // before a click makes other results
  hits.addEventListener("auxclick", (event) => event.button === 1 && clicked(event)); // in a tab of its own
  addEventListener("pagehide", send);
  document.addEventListener("visibilitychange", () => document.hidden && send());
}
