// One request to the service -> its answer, or an error with a remedy; and the key, where it takes one.

import { find, sentence } from "./dom.js";
import { client } from "./events.js";

export const KEY = "lookalike.key";
const PATIENCE_S = 5; // so long it waits of its own accord, where the service is busy

/** An answer that is none: `message` says what is wrong, `remedy` what to do. */
export class ServiceError extends Error {
  constructor({ code, message, remedy }, status) {
    super(message);
    Object.assign(this, { code, remedy, status });
  }
}

const OFFLINE = { code: "offline", message: "the service does not answer", remedy: "Check the connection, then try again." };
const UNREADABLE = { code: "unreadable", message: "the answer cannot be read", remedy: "Try again in a moment." };

/** Ask the service; paths are relative, so that the page also works below a prefix. */
export async function ask(path, body, signal, tries = 2) {
  const key = sessionStorage.getItem(KEY);
  const headers = { "X-Client-ID": client(), ...(body && { "Content-Type": "application/json" }), ...(key && { Authorization: `Bearer ${key}` }) };
  const request = { method: body ? "POST" : "GET", headers, signal, body: body && JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError(OFFLINE, 0);
  }
  if (response.status === 401) {
    await askForKey(await errorOf(response));
    return ask(path, body, signal);
  }
  const wait_s = Number(response.headers.get("Retry-After") ?? Infinity);
  if (response.status === 429 && tries > 0 && wait_s <= PATIENCE_S) {
    await new Promise((resolve) => setTimeout(resolve, wait_s * 1000));
    return ask(path, body, signal, tries - 1);
  }
  if (!response.ok) throw await errorOf(response);
  return response.json();
}

async function errorOf(response) {
  const said = await response.json().catch(() => ({}));
  return new ServiceError(said.error ?? UNREADABLE, response.status);
}

// --- keys ----------------------------------------------------------------------------------------------------------

let asking = null;

/** Ask for a key, once however many requests were refused; it is kept until the tab is closed. */
export function askForKey(error) {
  asking ??= new Promise((resolve, reject) => {
    const dialog = find("key");
    find("key-why").textContent = `${sentence(error.message)}. Ask whoever runs the service for one.`;
    dialog.returnValue = "";
    dialog.querySelector("form").onsubmit = () => {
      sessionStorage.setItem(KEY, find("key-text").value.trim());
      resolve();
    };
    find("key-not").onclick = () => dialog.close();
    dialog.onclose = () => {
      asking = null;
      reject(error); // does nothing after a key
    };
    dialog.showModal();
  });
  return asking;
}
