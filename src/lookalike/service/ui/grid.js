// The products found: cards with pictures, places that wait for them, and what is said when there are none.

import { showPicture } from "./api.js";
import { openProduct } from "./detail.js";
import { find, make, price } from "./dom.js";
import { learn, withoutLost } from "./parts.js";
import { DRAGGED } from "./query.js";
import { change, current, looksFor, withLike, write } from "./state.js";
import { surround } from "./surround.js";
import { longestOf, stack, terms } from "./why.js";

const shown = new Set(); // ids, so that no page repeats a product of one before
let longest = 0;

/** Show a first page, or add another one to what is there. Return how many cards came. */
export function showHits(hits, { first }) {
  const list = find("hits");
  clearWaiting();
  list.setAttribute("aria-busy", "false");
  if (first) {
    shown.clear();
    longest = longestOf(hits);
    list.replaceChildren();
  }
  const fresh = hits.filter(({ id }) => !shown.has(id));
  for (const { id, product, image } of fresh) {
    shown.add(id);
    learn(id, product.title, image);
  }
  find("legend").hidden = longest <= 0;
  list.append(...fresh.map(card));
  return fresh.length;
}

/** Put grey places where cards will be; if cards are there already and none are to come after them, these only fade. */
export function wait({ first, places }) {
  const list = find("hits");
  find("trouble").hidden = true;
  list.setAttribute("aria-busy", "true");
  if (first && list.querySelector(".card")) return;
  clearWaiting();
  for (let at = 0; at < places; at += 1) {
    list.append(make("li", { className: "waiting", "aria-hidden": "true" }, make("div"), make("p"), make("p")));
  }
}

function clearWaiting() {
  for (const place of find("hits").querySelectorAll(".waiting")) place.remove();
}

/** Say something instead of, or below, the products: a line, what to do, and perhaps buttons [[words, action]]. */
export function say(title, remedy, actions = [], { keep = false } = {}) {
  clearWaiting();
  const list = find("hits");
  list.setAttribute("aria-busy", "false");
  if (!keep) {
    find("legend").hidden = true;
    list.replaceChildren();
    shown.clear();
  }
  const place = find("trouble");
  place.hidden = false;
  place.replaceChildren(make("h2", {}, title), make("p", { className: "soft" }, remedy),
    ...actions.map(([words, action]) => make("button", { type: "button", className: "go", onclick: () => {
      find("results").focus({ preventScroll: true }); // the button goes away
      action();
    } }, words)));
}

function card(hit) {
  const { id, product, image, score, because = [] } = hit;
  const title = product.title || id;
  const picture = make("img", { alt: title, loading: "lazy", decoding: "async" });
  const blank = make("span", { className: "blank" }, title);
  const frame = make("div", { className: "frame" }, image ? picture : blank);
  picture.addEventListener("load", () => surround(picture));
  if (image) showPicture(picture, image, () => picture.replaceWith(blank));
  const link = make("a", { className: "open", href: write({ ...current(), product: id }), draggable: true }, title);
  link.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return; // in a tab of its own
    event.preventDefault();
    openProduct(id);
  });
  const article = make("article", { className: "card" },
    frame,
    product.availability === false && make("span", { className: "mark" }, "out of stock"),
    make("div", { className: "facts" }, product.brand && make("p", { className: "maker" }, product.brand),
      make("h2", { className: "name" }, link),
      make("p", { className: "deal" }, make("b", {}, price(product)))),
    make("div", { className: "tell" }, because.length > 0 && reason(score, because), like(id, title, 1), away() && like(id, title, -1)),
  );
  article.addEventListener("dragstart", (event) => event.dataTransfer.setData(DRAGGED, id));
  return make("li", { "data-id": id }, article);
}

/** Say whether there is anything to keep away within: away from something alone leads nowhere. */
const away = () => looksFor({ ...current(), photos: withoutLost(current().photos) });

let explained = 0;

/** Return the score as a button: pointed at or focused, it says what it is made of. */
function reason(score, because) {
  explained += 1;
  const label = `why-${explained}`;
  const said = score.toFixed(2).replace("-", "−");
  const button = make("button", { type: "button", className: "score", "aria-label": `Score ${said}: why this product`,
    "aria-describedby": label, "aria-expanded": "false" }, stack(because, longest), make("span", {}, said));
  const list = terms(because, label);
  const open = (is) => button.setAttribute("aria-expanded", String(is));
  const place = make("div", { className: "reason", onpointerenter: () => open(true), onpointerleave: () => open(false) }, button, list);
  button.addEventListener("focus", () => open(true));
  button.addEventListener("blur", () => open(false));
  button.addEventListener("click", () => button.focus()); // not every browser does so by itself
  return place;
}

function like(id, title, weight) {
  const more = weight > 0;
  return make("button", { type: "button", className: more ? "like" : "like less",
    title: more ? "Look for more products like this one" : "Keep away from products like this one", "aria-label": `${more ? "More" : "Less"} like ${title}`, onclick: () => {
      change({ likes: withLike(current().likes, id, weight) });
      toResults();
    } }, make("span", { "aria-hidden": "true" }, more ? "+ " : "− "), more ? "More" : "Less");
}

/** Go back to where results begin: they are others now. */
export function toResults() {
  find("results").focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

/** Let arrow keys walk from card to card, and Escape close what explains a score, wherever the focus is. */
export function startGrid() {
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const open of find("hits").querySelectorAll(".score[aria-expanded=true]")) open.ariaExpanded = "false";
  });
  find("hits").addEventListener("keydown", (event) => {
    const cards = [...find("hits").querySelectorAll(".card")];
    const at = cards.indexOf(event.target.closest?.(".card"));
    if (at < 0) return;
    const top = cards[0].getBoundingClientRect().top;
    const columns = cards.filter((each) => Math.abs(each.getBoundingClientRect().top - top) < 4).length || 1;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (step === undefined || !cards[at + step]) return;
    event.preventDefault();
    cards[at + step].querySelector(".open").focus();
  });
}
