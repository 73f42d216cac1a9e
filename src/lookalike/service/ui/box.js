// A box on a photo: only what is inside is searched for. Drawn with a pointer, or moved with the arrow keys.

import { make } from "./dom.js";

const LEAST = 0.04; // smaller than this is a click that slipped
const STEP = 0.02;
const FIRST = [0.2, 0.2, 0.6, 0.6];

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/**
 * Let people draw a box on a figure that holds a picture. `get()` returns the box as [x, y, width, height] from 0 to 1, or
 * null; `set(box, {late})` is called when one is done, `late` if more may follow at once. Returns {button, show}: what starts
 * a box without a mouse, and what redraws.
 */
export function boxOn(figure, { get, set }) {
  const frame = make("div", {
    className: "box", hidden: true, tabIndex: 0, role: "group",
    "aria-label": "The part that is searched for. Arrow keys move it, with Shift they resize it, Delete removes it.",
  });
  figure.append(frame);
  let drawn = null; // while drawing, before it is set

  const show = () => {
    const box = drawn ?? get();
    frame.hidden = !box;
    figure.classList.toggle("boxed", Boolean(box));
    button.textContent = box ? "Search the whole photo" : "Search a part";
    if (!box) return;
    const [x, y, width, height] = box.map((share) => `${share * 100}%`);
    Object.assign(frame.style, { left: x, top: y, width, height });
  };
  const button = make("button", {
    type: "button", className: "plain",
    onclick: () => {
      const begins = !get();
      set(begins ? FIRST : null);
      show();
      if (begins) frame.focus({ preventScroll: true });
    },
  });

  figure.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || (event.pointerType === "touch" && !get())) return; // a finger scrolls, until there is a box
    event.preventDefault();
    figure.setPointerCapture(event.pointerId);
    const area = figure.getBoundingClientRect();
    const at = (moved) => [
      clamp((moved.clientX - area.left) / area.width, 0, 1),
      clamp((moved.clientY - area.top) / area.height, 0, 1),
    ];
    const began = at(event);
    const held = event.target === frame ? get() : null;
    const draw = (moved) => {
      drawn = held ? shifted(held, began, at(moved)) : between(began, at(moved));
      show();
    };
    const end = (last) => {
      listening.abort();
      const done = drawn;
      drawn = null;
      if (last.type === "pointerup" && done && done[2] >= LEAST && done[3] >= LEAST) set(done);
      show();
    };
    const listening = new AbortController();
    for (const [type, act] of [["pointermove", draw], ["pointerup", end], ["pointercancel", end]]) {
      figure.addEventListener(type, act, { signal: listening.signal });
    }
  });

  frame.addEventListener("keydown", (event) => {
    const box = get();
    const step = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (box && (event.key === "Delete" || event.key === "Backspace")) {
      set(null);
      button.focus();
    } else if (box && step) {
      set(event.shiftKey ? resized(box, step) : shifted(box, [0, 0], step), { late: true });
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    show();
  });
  show();
  return { button, show };
}

const between = ([x, y], [u, v]) => [Math.min(x, u), Math.min(y, v), Math.abs(u - x), Math.abs(v - y)];

const shifted = ([x, y, width, height], from, to) => [
  clamp(x + to[0] - from[0], 0, 1 - width), clamp(y + to[1] - from[1], 0, 1 - height), width, height,
];

const resized = ([x, y, width, height], [dx, dy]) => [
  x, y, clamp(width + dx, LEAST, 1 - x), clamp(height + dy, LEAST, 1 - y),
];
