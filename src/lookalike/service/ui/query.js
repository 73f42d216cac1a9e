// The ways a question comes in: typed words, and photos that are chosen, dropped or pasted.

import { find } from "./dom.js";
import { withoutLost } from "./parts.js";
import { keep } from "./photos.js";
import { change, current, withLike } from "./state.js";

export const DRAGGED = "application/x-lookalike-product"; // a product dragged out of the grid

/** Make the bar and the whole page take questions; `onTrouble(words)` is told of what is no photo. */
export function startQuery(onTrouble) {
  const input = find("words");
  input.addEventListener("input", () => change({ text: input.value }, { late: true }));
  find("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    change({ text: input.value });
  });

  const take = (files) => takePhotos(files, onTrouble);
  const file = find("file");
  for (const id of ["pick", "drop"]) find(id).addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    take([...file.files]);
    file.value = ""; // the same file may be chosen again
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return; // words go where the cursor is
    event.preventDefault();
    take(files);
  });
  startDropping(take);
}

/** Show the words in the bar. */
export function showQuery(asked) {
  const input = find("words");
  if (input.value !== asked.text) input.value = asked.text;
  const found = withoutLost(asked.photos).length > 0;
  find("drop").querySelector("b").textContent = found ? "Add another photo" : "Show a photo";
  find("drop").classList.toggle("small", found);
}

async function takePhotos(files, onTrouble) {
  const pictures = files.filter((file) => file.type.startsWith("image/"));
  if (!pictures.length) {
    onTrouble("That was no photo. Photos are files such as JPEG, PNG or WebP.");
    return;
  }
  const ids = [];
  for (const picture of pictures) ids.push(await keep(picture));
  change({ photos: [...withoutLost(current().photos), ...ids.map((id) => ({ id, weight: 1, box: null }))] });
}

function startDropping(take) {
  const shade = find("dropping");
  let inside = 0; // dragenter and dragleave come in pairs, for every element on the way
  const wanted = (event) => [...event.dataTransfer.types].some((type) => type === "Files" || type === DRAGGED);
  const end = () => {
    inside = 0;
    shade.hidden = true;
  };
  addEventListener("dragenter", (event) => {
    if (!wanted(event)) return;
    inside += 1;
    shade.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (wanted(event) && --inside <= 0) end();
  });
  addEventListener("dragover", (event) => {
    if (wanted(event)) event.preventDefault(); // or the browser would open the file
  });
  addEventListener("dragend", end);
  addEventListener("drop", (event) => {
    if (!wanted(event)) return;
    event.preventDefault();
    end();
    const product = event.dataTransfer.getData(DRAGGED);
    if (product) change({ likes: withLike(current().likes, product, 1) });
    else take([...event.dataTransfer.files]);
  });
}
