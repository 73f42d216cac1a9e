// The shop, as far as its page needs it: what is asked -> requests -> answers.

import { KEY, ask } from "./ask.js";
import { dataUri } from "./photos.js";

const PAGE = 24;
let columns = [];

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

/** Return what is shown of some products by id; those that are not there are left out. Any other error is the caller's. */
export async function productsOf(ids) {
  const absent = (error) => ([404, 422].includes(error.status) ? null : Promise.reject(error));
  const answers = await Promise.all(ids.map((id) => ask(`v1/products/${encodeURIComponent(id)}`).catch(absent)));
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
