// Making elements, and a few words about numbers: what every other module writes with.

/**
 * Make an element. Properties go by their DOM names (`className`, `onclick`); those with a dash are attributes.
 * Children that are null, undefined or false are left out.
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const find = (id) => document.getElementById(id);

/** Call `action` once nobody has asked for it for a while; `.now()` does not wait. */
export function debounced(action, wait_ms) {
  let timer = 0;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(action, wait_ms);
  };
  later.now = () => {
    clearTimeout(timer);
    action();
  };
  return later;
}

/** Say a price with its currency, in the manner of the reader; "" if there is none. */
export function price(product) {
  if (product.price === null || product.price === undefined) return "";
  try {
    if (product.currency) {
      return new Intl.NumberFormat(undefined, { style: "currency", currency: product.currency }).format(product.price);
    }
  } catch {
    return `${product.price.toFixed(2)} ${product.currency}`; // no currency that is known
  }
  return product.price.toFixed(2);
}

export const count = (number) => number.toLocaleString();
export const products = (number) => `${count(number)} ${number === 1 ? "product" : "products"}`;

export const sentence = (said) => said.charAt(0).toUpperCase() + said.slice(1);

/** Turn a column's name into words: "heel_height" -> "Heel height". */
export const words = (column) => sentence(column.replaceAll(/[._-]+/g, " ").trim());

/** Say the value of a facet. */
export function valueWords(value) {
  if (value === true || value === "true") return "yes";
  if (value === false || value === "false") return "no";
  return String(value).replaceAll("/", " › ");
}
