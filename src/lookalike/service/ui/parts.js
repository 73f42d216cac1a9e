// What is searched for, piece by piece: photos with their box, words, products to look like, and how much each counts.

import { productsOf, showBlob, showPicture } from "./api.js";
import { boxOn } from "./box.js";
import { find, make } from "./dom.js";
import { photo } from "./photos.js";
import { change, current, partCount, withLike } from "./state.js";

const known = new Map(); // product id -> {title, image}
const lost = new Set(); // photos that this browser does not have, though the address names them
let shape = ""; // what is drawn; as long as it fits, elements stay, and with them the focus and a slider being dragged
let updates = [];

/** Remember products, so that a part can say what it is. */
export function learn(id, title, image) {
  known.set(id, { title, image });
}

/** Return photos without those that this browser does not have. */
export const withoutLost = (photos) => photos.filter(({ id }) => !lost.has(id));

/** Say what is asked in one line. */
export function inWords(asked) {
  const said = withoutLost(asked.photos).map(({ weight }) => [weight, "a photo"]);
  if (asked.text.trim()) said.unshift([asked.textWeight, `“${asked.text.trim()}”`]);
  said.push(...asked.likes.map(({ id, weight }) => [weight, known.get(id)?.title || id]));
  const joint = { any: " or ", all: " and " }[asked.mode] ?? " + ";
  return said.map(([weight, words], at) => (weight < 0 ? `${at ? ", " : ""}less ${words}` : (at ? joint : "") + words)).join("");
}

/** Draw the parts; `onNews` is called when more is known of them: what a product is called, that a photo is lost. */
export function showParts(asked, onNews) {
  const several = partCount(asked) > 1;
  const wanted = JSON.stringify([
    asked.photos.map(({ id }) => id), asked.likes.map(({ id }) => id), several && asked.text.trim() !== "", several,
  ]);
  if (wanted !== shape) {
    shape = wanted;
    updates = [];
    find("parts").replaceChildren(
      ...asked.photos.map(({ id }, at) => photoPart(id, asked.photos.length > 1 ? `Photo ${at + 1}` : "Photo", several, onNews)),
      ...(several && asked.text.trim() ? [textPart()] : []),
      ...asked.likes.map(({ id }) => likePart(id, several, onNews)),
      ...(several ? [modePart()] : []),
    );
  }
  for (const update of updates) update(asked);
}

// --- photos --------------------------------------------------------------------------------------------------------

const photoOf = (id) => current().photos.find((each) => each.id === id);

function changePhoto(id, changes, options) {
  change({ photos: current().photos.map((each) => (each.id === id ? { ...each, ...changes } : each)) }, options);
}

function photoPart(id, name, several, onNews) {
  const part = make("li", { className: "part" });
  const figure = make("div", { className: "figure" });
  const image = make("img", { alt: `${name} to search with`, draggable: false });
  const tools = make("div", { className: "row" });
  const remove = () => change({ photos: current().photos.filter((each) => each.id !== id) });
  photo(id).then((blob) => {
    if (!blob) {
      lost.add(id);
      part.className = "lost";
      part.replaceChildren(make("p", {}, "A photo belongs to this search. It stayed in the browser it was chosen in, as a link does not carry photos; what you see is found without it."),
        make("div", { className: "row" }, make("button", { type: "button", className: "plain", onclick: () => find("file").click() }, "Choose the photo"), removal(name.toLowerCase(), remove)));
      onNews();
      return;
    }
    image.onerror = () => image.replaceWith(make("p", { className: "unseeable" }, "This browser cannot show this kind of picture; the search can often read it all the same."));
    showBlob(image, blob);
    const box = boxOn(figure, { get: () => photoOf(id)?.box ?? null, set: (drawn, options) => changePhoto(id, { box: drawn }, options) });
    tools.prepend(box.button);
    updates.push(() => box.show());
  });
  figure.append(image);
  tools.append(removal(name.toLowerCase(), remove));
  const weight = several && slider(name, () => photoOf(id)?.weight, (value) => changePhoto(id, { weight: value }, { late: true }));
  part.append(figure, make("div", { className: "about" }, weight, tools));
  return part;
}

// --- words, products, and how they combine -------------------------------------------------------------------------

function textPart() {
  const words = make("p", { className: "phrase" });
  updates.push((asked) => {
    words.textContent = `“${asked.text.trim()}”`;
  });
  const weight = slider("Words", () => current().textWeight, (value) => change({ textWeight: value }, { late: true }));
  return make("li", { className: "part" }, words, make("div", { className: "about" }, weight));
}

function likePart(id, several, onNews) {
  const image = make("img", { alt: "" });
  const sign = make("b", { className: "sign" });
  const title = make("span", { className: "title" }, id);
  const weightNow = () => current().likes.find((like) => like.id === id)?.weight;
  const set = (value) => change({ likes: current().likes.map((like) => (like.id === id ? { id, weight: value } : like)) }, { late: true });
  const weight = several && slider("Product", weightNow, set);
  const remove = removal(id, () => change({ likes: withLike(current().likes, id, 0) }));
  const part = make("li", { className: "part like" });
  const name = () => {
    const product = known.get(id);
    if (!product) return;
    title.textContent = product.title || id;
    remove.setAttribute("aria-label", `Remove ${title.textContent}`);
    if (weight) weight.querySelector("input").setAttribute("aria-label", `Product ${title.textContent}`);
    if (product.image) showPicture(image, product.image, () => image.remove());
    else image.remove();
  };
  if (known.has(id)) name();
  else {
    productsOf([id]).then(([product]) => {
      if (!product) return;
      learn(id, product.title, product.image);
      name();
      onNews();
    }, () => {}); // it is called by its id then, and the search says what is wrong
  }
  updates.push(() => {
    const away = weightNow() < 0;
    part.classList.toggle("minus", away);
    sign.textContent = away ? "less like" : "more like";
  });
  part.append(
    make("div", { className: "thumb" }, image),
    make("div", { className: "about" }, make("p", { className: "soft" }, sign, " ", title), weight,
      make("div", { className: "row" }, remove)),
  );
  return part;
}

const MODES = [["mix", "blended"], ["any", "any of them"], ["all", "all of them"]];

function modePart() {
  const select = make("select", { onchange: () => change({ mode: select.value }) },
    ...MODES.map(([value, words]) => make("option", { value }, words)));
  updates.push((asked) => {
    select.value = asked.mode;
  });
  return make("li", { className: "combine" }, make("label", {}, "Parts are ", select));
}

function removal(what, action) {
  return make("button", { type: "button", className: "plain", "aria-label": `Remove ${what}`, onclick: () => {
    action();
    find("results").focus({ preventScroll: true }); // not the words: a phone would put its keyboard up
  } }, "Remove");
}

/** Make a slider from -1, away from it, to 1. */
function slider(label, get, set) {
  const amount = make("b", { "aria-hidden": "true" }); // no output: a label would take that for what it names
  const input = make("input", { type: "range", min: -1, max: 1, step: 0.1, oninput: () => set(Number(input.value)) });
  updates.push(() => {
    const weight = get() ?? 1;
    if (Number(input.value) !== weight) input.value = weight;
    const said = weight === 0 ? "off" : `${weight < 0 ? "against, " : ""}${Math.round(Math.abs(weight) * 100)} %`;
    amount.textContent = said;
    input.setAttribute("aria-valuetext", said);
  });
  return make("label", { className: "weight" }, make("span", {}, label, amount), input);
}
