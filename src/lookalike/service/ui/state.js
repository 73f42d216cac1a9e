// What is asked, and nothing else: one plain object, its form as an address, and who wants to know when it changes.
//
//   text, textWeight      words, and how much they count
//   photos                [{id, weight, box}]; the pictures themselves are in `photos.js`, box is [x, y, w, h] from 0 to 1
//   likes                 [{id, weight}]; products to look like, or with a negative weight unlike
//   mode                  how several parts combine: mix, any, all
//   only                  {column: [value, ...]}; what filters let through
//   min, max              prices, "" for none
//   sort                  a ranking profile
//   product               the id of a product that is open, "" for none; it does not change what is found

export const NOTHING = { text: "", textWeight: 1, photos: [], likes: [], mode: "mix", only: {}, min: "", max: "", sort: "relevance", product: "" };
const ONE_STEP_MS = 3000;
const NAMED = ["min", "max", "sort", "mode", "product"]; // these are called the same in an address
const listeners = [];
let lastLate_ms = -Infinity;
let state = read(location.search);

export const current = () => state;

/** Call `listener(state, {late})` after every change; `late` says that more of the kind may follow at once. */
export const onChange = (listener) => listeners.push(listener);

/**
 * Change what is asked. A change that is one of many, such as a slider's, is `late`: many together make one step in the
 * history, and who listens may wait for the last. `replace` makes no step of it.
 */
export function change(changes, { late = false, replace = false } = {}) {
  state = { ...state, ...changes };
  const address = write(state);
  const goesOn = late && performance.now() - lastLate_ms < ONE_STEP_MS;
  lastLate_ms = late ? performance.now() : -Infinity;
  if (address !== location.search) history[goesOn || replace ? "replaceState" : "pushState"](null, "", address || location.pathname);
  tell(late);
}

addEventListener("popstate", () => {
  if (write(state) === location.search) return; // a jump within the page
  state = read(location.search);
  lastLate_ms = -Infinity; // what is changed from here on is a step of its own
  tell(false);
});

function tell(late) {
  for (const listener of listeners) listener(state, { late });
}

/** Add, change or remove (weight 0) what to look like. */
export function withLike(likes, id, weight) {
  const others = likes.filter((like) => like.id !== id);
  return weight === 0 ? others : [...others, { id, weight }];
}

/** Switch one value of a filter on or off. */
export function withValue(only, column, value, on) {
  const values = Object.hasOwn(only, column) ? only[column].filter((each) => each !== value) : [];
  const { [column]: _, ...others } = only;
  if (on) values.push(value);
  return values.length ? { ...others, [column]: values } : others;
}

/** Count the parts of a search. */
export const partCount = (asked) => asked.photos.length + asked.likes.length + (asked.text.trim() ? 1 : 0);

/** Say whether anything is looked for: away from something alone leads nowhere. */
export const looksFor = (asked) =>
  (asked.text.trim() !== "" && asked.textWeight > 0) || [...asked.photos, ...asked.likes].some(({ weight }) => weight > 0);

// --- as an address -------------------------------------------------------------------------------------------------
//
//   ?q=red+shirt&qw=0.5&photo=1~a1b2c3~0.1,0.1,0.5,0.5&like=-1~D00001&only.brand=Birch&min=5&max=80&sort=new&mode=any&product=D00002

function weightOf(text) {
  const weight = Number.parseFloat(text);
  return Number.isFinite(weight) ? Math.max(-1, Math.min(1, weight)) : 1;
}

/** Return what an address asks for. Whatever cannot be read is left out: addresses are typed and cut off. */
export function read(search) {
  const given = new URLSearchParams(search);
  const asked = structuredClone(NOTHING);
  asked.text = given.get("q") ?? "";
  if (given.has("qw")) asked.textWeight = weightOf(given.get("qw"));
  asked.photos = given.getAll("photo").map(readPhoto).filter((photo) => photo.id);
  asked.likes = given.getAll("like").map(readLike).filter((like) => like.id);
  for (const [name, value] of given) {
    if (name.startsWith("only.")) asked.only = withValue(asked.only, name.slice(5), value, true);
  }
  for (const name of NAMED) asked[name] = given.get(name) ?? NOTHING[name];
  return asked;
}

function readPhoto(text) {
  const [weight, id, box = ""] = text.split("~");
  const shares = box.split(",").map(Number.parseFloat);
  return { id, weight: weightOf(weight), box: shares.length === 4 && shares.every(Number.isFinite) ? shares : null };
}

function readLike(text) {
  const at = text.indexOf("~");
  return { id: text.slice(at + 1), weight: weightOf(text) };
}

/** Return the address of what is asked: "" for nothing. */
export function write(asked) {
  const given = new URLSearchParams();
  if (asked.text) given.set("q", asked.text);
  if (asked.text && asked.textWeight !== 1) given.set("qw", asked.textWeight);
  for (const { id, weight, box } of asked.photos) {
    given.append("photo", [weight, id, ...(box ? [box.map((share) => +share.toFixed(3)).join(",")] : [])].join("~"));
  }
  for (const { id, weight } of asked.likes) given.append("like", `${weight}~${id}`);
  for (const [column, values] of Object.entries(asked.only)) {
    for (const value of values) given.append(`only.${column}`, value);
  }
  for (const name of NAMED) {
    if (asked[name] !== NOTHING[name]) given.set(name, asked[name]);
  }
  const text = given.toString();
  return text && `?${text}`;
}
