// Photos to search with: made small, kept in this browser, found again by a short id that fits in an address.

const SIDE_PX = 1024;
const QUALITY = 0.88;
const KEPT = 30;
const blobs = new Map(); // id -> Blob, so far as this tab has seen it

/** Take a file: return the id it can be asked with from now on. */
export async function keep(file) {
  const blob = await shrunk(file);
  const id = Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  blobs.set(id, blob);
  await stored("readwrite", (store) => store.put({ id, blob, at: Date.now() })).catch(() => {});
  forgetOldest().catch(() => {});
  return id;
}

/** Return a photo as a Blob, or null if this browser does not have it: the address came from elsewhere, or it is long ago. */
export async function photo(id) {
  if (!blobs.has(id)) {
    const found = await stored("readonly", (store) => store.get(id)).catch(() => undefined);
    if (found) blobs.set(id, found.blob);
  }
  return blobs.get(id) ?? null;
}

/** Return a photo as the service takes it, or null. */
export async function dataUri(id) {
  const blob = await photo(id);
  return blob && uriOf(blob);
}

const uriOf = (blob) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });

/** Scale a picture down to what a search can use, upright. What this browser cannot read goes to the service as it is. */
async function shrunk(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return file;
  }
  const scale = Math.min(1, SIDE_PX / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // where a picture is transparent, JPEG would be black
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return new Promise((resolve) => canvas.toBlob((blob) => resolve(blob ?? file), "image/jpeg", QUALITY));
}

// --- the browser's own database ------------------------------------------------------------------------------------

let opening = null;

function opened() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("lookalike", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("photos", { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function stored(mode, work) {
  const database = await opened();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction("photos", mode);
    const request = work(transaction.objectStore("photos"));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
}

async function forgetOldest() {
  const all = await stored("readonly", (store) => store.getAll());
  const old = all.sort((one, other) => other.at - one.at).slice(KEPT);
  for (const { id } of old) await stored("readwrite", (store) => store.delete(id));
}
