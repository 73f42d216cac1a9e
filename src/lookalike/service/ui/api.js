// The service, as far as the page needs it: what is asked -> requests -> answers, or an error with a remedy.

import { find, sentence } from "./dom.js";
import { client } from "./events.js";
import { dataUri } from "./photos.js";

const PAGE = 24;
const KEY = "lookalike.key";
const PATIENCE_S = 5; // so long it waits of its own accord, where the service is busy
let columns = [];

/** An answer that is none: `message` says what is wrong, `remedy` what to do. */
export class ServiceError extends Error {
  constructor({ code, message, remedy }, status) {
    super(message);
    Object.assign(this, { code, remedy, status });
  }
}

const OFFLINE = { code: "offline", message: "the service does not answer", remedy: "Check the connection, then try again." };
const UNREADABLE = { code: "unreadable", message: "the answer cannot be read", remedy: "Try again in a moment." };

/** Ask the service; paths are relative, so that the page also works below a prefix. */
async function ask(path, body, signal, tries = 2) {
  const key = sessionStorage.getItem(KEY);
  const headers = { "X-Client-ID": client(), ...(body && { "Content-Type": "application/json" }), ...(key && { Authorization: `Bearer ${key}` }) };
  const request = { method: body ? "POST" : "GET", headers, signal, body: body && JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError(OFFLINE, 0);
  }
  if (response.status === 401) {
    await askForKey(await errorOf(response));
    return ask(path, body, signal);
  }
  const wait_s = Number(response.headers.get("Retry-After") ?? Infinity);
  if (response.status === 429 && tries > 0 && wait_s <= PATIENCE_S) {
    await new Promise((resolve) => setTimeout(resolve, wait_s * 1000));
    return ask(path, body, signal, tries - 1);
  }
  if (!response.ok) throw await errorOf(response);
  return response.json();
}

async function errorOf(response) {
  const said = await response.json().catch(() => ({}));
  return new ServiceError(said.error ?? UNREADABLE, response.status);
}

// --- keys ----------------------------------------------------------------------------------------------------------

let asking = null;

/** Ask for a key, once however many requests were refused; it is kept until the tab is closed. */
function askForKey(error) {
  asking ??= new Promise((resolve, reject) => {
    const dialog = find("key");
    find("key-why").textContent = `${sentence(error.message)}. Ask whoever runs the service for one.`;
    dialog.returnValue = "";
    dialog.querySelector("form").onsubmit = () => {
      sessionStorage.setItem(KEY, find("key-text").value.trim());
      resolve();
    };
    find("key-not").onclick = () => dialog.close();
    dialog.onclose = () => {
      asking = null;
      reject(error); // does nothing after a key
    };
    dialog.showModal();
  });
  return asking;
}

// --- searching -----------------------------------------------------------------------------------------------------

/** Return the columns of the shop, [{name, types}]. */
export async function loadColumns() {
  columns = (await ask("v1/columns")).columns;
  return columns;
}

/** Return one page of what is asked; `facets` are counted along. */
export async function search(asked, { facets = [], cursor = null, signal }) {
  return ask("v1/search", { ...(await question(asked)), limit: PAGE, explain: true, facets, cursor }, signal);
}

/**
 * Count the values of filters in use, each as if it alone were not: how many products each other value would bring.
 * Returns {column: [{value, count}]}.
 */
export async function countOthers(asked, signal) {
  const queries = Object.keys(asked.only).map((column) => {
    const { [column]: _, ...others } = asked.only;
    return { parts: [], where: where({ ...asked, only: others }), facets: [column], limit: 1, fields: ["title"], log: false };
  });
  if (!queries.length) return {};
  const { results } = await ask("v1/search/batch", { queries }, signal);
  return Object.assign({}, ...results.map((answer) => answer.facets ?? {}));
}

/** Return what is shown of some products by id; those that are not there are left out. */
export async function productsOf(ids) {
  const answers = await Promise.all(ids.map((id) => ask(`v1/products/${encodeURIComponent(id)}`).catch(() => null)));
  return answers.filter((answer) => answer !== null);
}

async function question(asked) {
  const parts = [];
  const text = asked.text.trim();
  for (const { id, weight, box } of asked.photos) {
    const image = weight === 0 ? null : await dataUri(id);
    if (image) parts.push({ image, weight, ...(box && { box }) });
  }
  if (text && asked.textWeight !== 0) parts.push({ text, weight: asked.textWeight });
  for (const { id, weight } of asked.likes) if (weight !== 0) parts.push({ like: id, weight });
  return { parts, where: where(asked), mode: asked.mode, rerank: asked.sort };
}

/** Return the filters as the tree the service reads, null for none: one of the values of each column. */
function where(asked) {
  const all = Object.entries(asked.only).map(([column, values]) => ({ or: values.flatMap((value) => equal(column, value)) }));
  for (const [op, price] of [[">=", asked.min], ["<=", asked.max]]) {
    if (price !== "" && Number.isFinite(Number(price))) all.push({ field: "price", op, value: Number(price) });
  }
  return all.length ? { and: all } : null;
}

/** In an address a value is text: it stands for everything it can be in its column, a size for "42" and for 42. */
function equal(column, value) {
  if (column === "category") return [{ field: column, op: "prefix", value }];
  const types = columns.find((each) => each.name === column)?.types ?? ["text"];
  const meant = [];
  if (types.includes("number") && value.trim() && Number.isFinite(Number(value))) meant.push(Number(value));
  if (types.includes("true/false") && ["true", "false"].includes(value)) meant.push(value === "true");
  if (types.includes("text") || !meant.length) meant.push(value);
  return meant.map((each) => ({ field: column, op: "=", value: each }));
}

// --- pictures ------------------------------------------------------------------------------------------------------

const RETRY_MS = 1500;

/** Show a product's picture; a key travels in a header, which an address cannot carry. `onfail` is called if there is none. */
export function showPicture(image, path, onfail, tries = 2) {
  const address = path.replace(/^\//, "");
  const key = sessionStorage.getItem(KEY);
  image.onerror = () => {
    if (tries > 0) setTimeout(() => showPicture(image, path, onfail, tries - 1), RETRY_MS);
    else onfail();
  };
  if (!key) {
    image.removeAttribute("src");
    image.src = address;
    return;
  }
  fetch(address, { headers: { Authorization: `Bearer ${key}` } })
    .then((response) => (response.ok ? response.blob() : Promise.reject(new Error(response.statusText))))
    .then((blob) => showBlob(image, blob))
    .catch(() => image.onerror());
}

/** Show a picture that is here already, and let go of it once the browser has read it. */
export function showBlob(image, blob) {
  const address = URL.createObjectURL(blob);
  for (const end of ["load", "error"]) image.addEventListener(end, () => URL.revokeObjectURL(address), { once: true });
  image.src = address;
}
