// Why a product was found: the terms of its score, as one line of colours and as bars.

import { make } from "./dom.js";

const SPACES = ["image", "title", "description", "attributes", "words"];
const SAID = { image: "looks", title: "name", description: "description", attributes: "facts", words: "words" };
const SHOWN = 6;

const kindOf = ({ name }) => {
  const space = name.split(".")[0];
  return SPACES.includes(space) ? space : "ranking";
};

/** Say which part of the search a term speaks of, in few words. */
function partWords(part) {
  if (part.startsWith("product ")) return "product";
  return part.startsWith("image") ? "photo" : part.replaceAll('"', "");
}

function labelOf(term, several) {
  const [space, ...rest] = term.name.split(".");
  const label = rest.length ? rest.join(".").replaceAll("_", " ") : (SAID[space] ?? space);
  return several && term.part ? `${label} · ${partWords(term.part)}` : label;
}

/** Return one line of colours: how much each kind of likeness adds, against `longest`, the most any product has. */
export function stack(because, longest) {
  const line = make("span", { className: "stack" });
  for (const kind of [...SPACES, "ranking"]) {
    const total = because.filter((term) => kindOf(term) === kind).reduce((sum, term) => sum + term.contribution, 0);
    if (total <= 0 || longest <= 0) continue;
    const bar = make("i", { className: kind });
    bar.style.width = `${(100 * total) / longest}%`;
    line.append(bar);
  }
  return line;
}

/** Return what the longest line stands for. */
export const longestOf = (hits) => Math.max(0, ...hits.map(({ because = [] }) =>
  because.reduce((sum, { contribution }) => sum + Math.max(0, contribution), 0)));

/** Return the terms as a list with bars, those that decide most first. */
export function terms(because, id) {
  const telling = because.filter(({ contribution }) => Math.abs(contribution) >= 0.005);
  telling.sort((one, other) => Math.abs(other.contribution) - Math.abs(one.contribution));
  const several = new Set(because.map(({ part }) => part).filter(Boolean)).size > 1;
  const shown = telling.slice(0, telling.length > SHOWN + 1 ? SHOWN : telling.length);
  const rest = telling.slice(shown.length);
  const low = Math.min(0, ...shown.map(({ contribution }) => contribution));
  const high = Math.max(0, ...shown.map(({ contribution }) => contribution));
  const list = make("ul", { className: "why", id }, ...shown.map((term) => row(term, several, low, high - low || 1)));
  if (rest.length) list.append(make("li", {}, line(`and ${rest.length} more`, rest.reduce((sum, term) => sum + term.contribution, 0))));
  if (!shown.length) list.append(make("li", {}, "Nothing in particular: it is in no order yet."));
  return list;
}

const signed = (number) => (number < 0 ? "−" : "+") + Math.abs(number).toFixed(2);
const line = (label, contribution) => make("span", { className: "term" }, make("span", {}, label), make("span", {}, signed(contribution)));

function row(term, several, low, span) {
  const { contribution, value, weight } = term;
  const bar = make("i", { className: contribution < 0 ? "away" : kindOf(term) });
  bar.style.left = `${(100 * (Math.min(0, contribution) - low)) / span}%`;
  bar.style.width = `${(100 * Math.abs(contribution)) / span}%`;
  return make("li", { title: `${value.toFixed(3)} × weight ${weight.toFixed(3)}` },
    line(labelOf(term, several), contribution), make("span", { className: "bar", "aria-hidden": "true" }, bar));
}
