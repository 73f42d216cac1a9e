// Filters: values of columns with how many products have them, a range of prices, and chips for what is in use.

import { find, make, count, valueWords, words } from "./dom.js";
import { change, current, withValue } from "./state.js";

const FIRST = ["category", "brand", "color", "colour", "material", "size", "sizes"];
const NEVER = new Set(["id", "family", "currency", "active", "url", "link", "product_url"]);
const MOST_COLUMNS = 24;
const TOO_MANY = 200; // so many values are counted at most: a column with more of them is no choice but a text
const SHOWN = 8;
const OPEN = 3;
const PRICES = ["min", "max"];
const unfolded = new Set(); // groups with all their values shown
const folded = new Map(); // column -> whether its group is open, once somebody touched it

/** Make the prices narrow what is found. */
export function startFilters() {
  for (const name of PRICES) {
    const input = find(name);
    input.addEventListener("input", () => input.validity.valid && change({ [name]: input.value }, { late: true }));
  }
}

/** Choose the columns worth counting from [{name, types}], the usual ones first. */
export function facetColumns(columns) {
  const rank = ({ name }) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  return columns
    .filter(({ name, types }) => !NEVER.has(name) && (types.includes("text") || types.includes("true/false")))
    .sort((one, other) => rank(one) - rank(other))
    .slice(0, MOST_COLUMNS)
    .map(({ name }) => name);
}

/** Draw the filters from counts, {column: [{value, count}]}. The focus stays where it was. */
export function showFilters(facets, asked) {
  const focused = document.activeElement?.dataset?.key;
  const place = find("groups");
  const order = [...new Set([...FIRST, ...Object.keys(facets)])].filter((column) => facets[column]);
  const groups = order
    .map((column) => [column, withUsed(facets[column], asked.only[column])])
    .filter(([column, values]) => column in asked.only || isChoice(choices(column, values)))
    .map(([column, values], at) => group(column, values, asked, at < OPEN));
  place.replaceChildren(...groups);
  if (focused) [...place.querySelectorAll("[data-key]")].find((each) => each.dataset.key === focused)?.focus({ preventScroll: true });
}

/** Show what is in use: the prices, and chips, each of which takes itself away. */
export function showUsed(asked) {
  for (const name of PRICES) {
    const input = find(name);
    const halfTyped = input === document.activeElement && !input.validity.valid;
    if (!halfTyped && input.value !== asked[name]) input.value = asked[name];
  }
  const used = Object.entries(asked.only).flatMap(([column, values]) => values.map((value) => [column, value]));
  const chips = used.map(([column, value]) =>
    chip(`${words(column)}: ${valueWords(value)}`, () => change({ only: withValue(current().only, column, value, false) })));
  if (asked.min !== "") chips.push(chip(`from ${asked.min}`, () => change({ min: "" })));
  if (asked.max !== "") chips.push(chip(`up to ${asked.max}`, () => change({ max: "" })));
  const several = chips.length > 1;
  if (several) chips.push(make("li", {}, make("button", { type: "button", className: "plain", onclick: clear }, "Clear all")));
  find("chips").replaceChildren(...chips);
  find("filter-count").textContent = chips.length ? `(${chips.length - several})` : "";
}

export const clear = () => change({ only: {}, min: "", max: "" });
export const anyUsed = (asked) => Object.keys(asked.only).length > 0 || asked.min !== "" || asked.max !== "";

function chip(said, remove) {
  return make("li", {}, make("button", { type: "button", className: "chip", "aria-label": `Remove filter ${said}`, onclick: () => {
    remove();
    find("results").focus({ preventScroll: true });
  } }, said, make("span", { "aria-hidden": "true" }, " ×")));
}

/** Values in use are shown even where they count nothing: else nobody could take them away. */
function withUsed(values, used = []) {
  const there = values.map(({ value, count: number }) => ({ value: String(value), number }));
  const missing = used.filter((value) => !there.some((each) => each.value === value));
  return [...missing.map((value) => ({ value, number: null })), ...there];
}

function group(column, values, asked, open) {
  const used = asked.only[column] ?? [];
  const rows = column === "category" ? tree(values, used) : values;
  const all = unfolded.has(column) || rows.length <= SHOWN + 2;
  const shown = all ? rows : rows.filter(({ value }, at) => at < SHOWN || used.includes(value));
  const list = make("ul", {}, ...shown.map((row) => make("li", { className: row.deep ? "deep" : "" }, choice(column, row, used))));
  const more = !all && make("button", { type: "button", className: "plain", "data-key": `more ${column}`, onclick: () => {
    unfolded.add(column);
    const at = list.children.length;
    list.closest("details").replaceWith(group(column, values, current(), true));
    find("groups").querySelectorAll(`[data-column="${CSS.escape(column)}"] input`)[at]?.focus();
  } }, `All ${rows.length}`);
  const details = make("details", { className: "group", open: folded.get(column) ?? (open || used.length > 0), "data-column": column },
    make("summary", { "data-key": `group ${column}`, onclick: () => folded.set(column, !details.open) }, words(column)), list, more);
  return details;
}

function choice(column, { value, number, said }, used) {
  const input = make("input", { type: "checkbox", checked: used.includes(value), "data-key": `${column}=${value}`,
    onchange: () => change({ only: withValue(current().only, column, value, input.checked) }) });
  return make("label", { className: "choice" }, input, make("span", {}, said ?? valueWords(value)),
    number !== null && make("b", {}, count(number)));
}

const isChoice = (number) => number > 1 && number < TOO_MANY;

/** Count what there is to choose from: of categories, those with none below them. */
function choices(column, values) {
  const above = ({ value }) => values.some((other) => other.value.startsWith(`${value}/`));
  return column === "category" ? values.filter((row) => !above(row)).length : values.length;
}

/** Turn category paths into main groups; those below one are shown when it, or one of them, is in use. */
function tree(values, used) {
  const tops = new Map();
  for (const row of values) {
    const [top] = row.value.split("/");
    if (!tops.has(top)) tops.set(top, { value: top, number: null, below: [] });
    if (row.value === top) tops.get(top).number = row.number; // a product in two of those below counts once
    else tops.get(top).below.push({ ...row, said: valueWords(row.value.slice(top.length + 1)), deep: true });
  }
  const sorted = [...tops.values()].sort((one, other) => other.number - one.number);
  if (sorted.length === 1) return [sorted[0], ...sorted[0].below];
  return sorted.flatMap((top) => {
    const open = used.some((value) => value === top.value || value.startsWith(`${top.value}/`));
    return open ? [top, ...top.below] : [top];
  });
}
