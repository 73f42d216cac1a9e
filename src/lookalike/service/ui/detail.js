// One product, large: its picture and all that is known of it. Its own address, ?product=, brings it back.

import { productsOf, showPicture } from "./api.js";
import { find, make, price, sentence, valueWords, words } from "./dom.js";
import { learn } from "./parts.js";
import { NOTHING, change, current, looksFor, withLike, write } from "./state.js";
import { surround } from "./surround.js";

const LINKS = ["url", "link", "product_url"]; // attributes that are a button here
const COUNTS = /^(.*[_. ])?(stock|inventory|quantity|qty|on_hand)([_. ](count|level|quantity|qty|units|on_hand))?$/i; // how many there are is the shop's business
let shown = ""; // the id of the product that is open
let came = false; // by a step of this page, so that one step back leads to where it was

/** Open a product. */
export function openProduct(id) {
  came = true;
  change({ product: id });
}

/** Let the view close itself; `toResults` leads to results that are new. */
export function startDetail(toResults) {
  const dialog = find("product");
  dialog.addEventListener("close", () => {
    if (!current().product) return;
    if (came) history.back();
    else change({ product: "" }, { replace: true });
    came = false;
  });
  dialog.addEventListener("click", (event) => {
    const action = event.target.closest("[data-weight]");
    if (event.target === dialog || event.target.closest(".close")) dialog.close();
    if (!action) return;
    came = false;
    change({ product: "", likes: withLike(current().likes, shown, Number(action.dataset.weight)) });
    toResults();
  });
}

/** Show the product that is asked for, or none. */
export async function showProduct(asked) {
  if (asked.product === shown) return;
  shown = asked.product;
  const dialog = find("product");
  if (!shown) {
    dialog.close();
    return;
  }
  dialog.replaceChildren(sheet(make("h2", { id: "product-title" }, "One moment…")));
  if (!dialog.open) dialog.showModal();
  const id = shown;
  let product;
  try {
    [product] = await productsOf([id]);
  } catch (error) {
    if (id === shown) showTrouble(dialog, error, asked);
    return;
  }
  if (id !== shown) return;
  if (product) {
    learn(id, product.title, product.image);
    dialog.replaceChildren(picture(product), facts(product));
    document.title = `${product.title || id} · lookalike`;
  } else {
    dialog.replaceChildren(sheet(make("h2", { id: "product-title" }, "This product is not in the shop"),
      make("p", { className: "soft" }, `There is none with the id ${id} any more.`)));
  }
  dialog.querySelector(".close").focus();
}

/** Say why a product cannot be shown, which is not that there is none. */
function showTrouble(dialog, error, asked) {
  if (!error.code) console.error(error); // ours
  const again = make("button", { type: "button", className: "go", onclick: () => {
    shown = "";
    showProduct(asked);
  } }, "Try again");
  dialog.replaceChildren(sheet(make("h2", { id: "product-title" }, "This product cannot be shown now"),
    make("p", { className: "soft", role: "alert" }, `${sentence(error.message)}. ${error.remedy ?? ""}`), make("div", { className: "row" }, again)));
  again.focus();
}

const sheet = (...children) => make("div", { className: "sheet" },
  make("button", { type: "button", className: "close", "aria-label": "Close" }, "×"), ...children);

function picture(product) {
  const title = product.title || product.id;
  const image = make("img", { alt: title });
  const blank = make("span", { className: "blank" }, title);
  image.addEventListener("load", () => surround(image));
  if (product.image) showPicture(image, product.image, () => image.replaceWith(blank));
  return make("div", { className: "frame" }, product.image ? image : blank);
}

function facts(product) {
  const { id, url } = product;
  const away = looksFor({ ...current(), likes: current().likes.filter((like) => like.id !== id) });
  return sheet(
    product.brand && make("p", { className: "maker" }, product.brand),
    make("h2", { id: "product-title" }, product.title || id),
    make("p", { className: "deal" }, make("b", {}, price(product)), product.availability === false && " out of stock"),
    make("div", { className: "row" },
      make("button", { type: "button", className: "go", "data-weight": 1 }, "More like this"),
      away && make("button", { type: "button", className: "plain", "data-weight": -1 }, "Less like this"),
      url && make("a", { className: "plain", href: url, target: "_blank", rel: "noopener noreferrer" }, "To its page ↗")),
    product.description && make("p", { className: "said" }, product.description),
    make("dl", {}, ...rows(product).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
    make("a", { className: "plain", href: write({ ...NOTHING, product: id }) }, "Link to this product"),
  );
}

/** Return everything else that is known, in words. */
function rows(product) {
  const stock = { true: "in stock", false: "out of stock" }[product.availability];
  const told = [
    ["Category", product.categories.map(valueWords).join(", ")],
    ["Availability", stock],
    ["Rating", product.rating],
    ["Popularity", product.popularity],
    ["Conversion rate", product.conversion_rate],
    ["Sold since", product.added && new Date(product.added).toLocaleDateString(undefined, { dateStyle: "medium" })],
    ["Family", product.family],
    ["Id", product.id],
    ["State", product.active ? null : "inactive: it is never found"],
  ];
  const own = Object.entries(product.attributes).filter(([name]) => !LINKS.includes(name) && !COUNTS.test(name));
  return [...own.map(([name, value]) => [words(name), said(value)]), ...told]
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => [name, typeof value === "number" ? value.toLocaleString() : String(value)]);
}

const said = (value) => (Array.isArray(value) ? value.map(valueWords).join(", ") : typeof value === "number" ? value : valueWords(value));
