// What is around a picture that does not fill its frame: the colours of its own edges, going on.

const STOPS = 5;
const canvas = document.createElement("canvas");

/** Fill the frame of a picture that has been loaded; one that cannot be looked into keeps the frame's own colour. */
export function surround(image) {
  const { naturalWidth: width, naturalHeight: height } = image;
  if (!width || Math.abs(width - height) < 2) return;
  const upright = height > width;
  [canvas.width, canvas.height] = upright ? [2, STOPS] : [STOPS, 2]; // its two edges, side by side
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  if (upright) {
    context.drawImage(image, 0, 0, 1, height, 0, 0, 1, STOPS);
    context.drawImage(image, width - 1, 0, 1, height, 1, 0, 1, STOPS);
  } else {
    context.drawImage(image, 0, 0, width, 1, 0, 0, STOPS, 1);
    context.drawImage(image, 0, height - 1, width, 1, 0, 1, STOPS, 1);
  }
  const color = (at, edge) => {
    const [x, y] = upright ? [edge, at] : [at, edge];
    return `rgb(${[...context.getImageData(x, y, 1, 1).data].slice(0, 3).join(" ")})`;
  };
  const layer = (edge, place) => {
    const colors = Array.from({ length: STOPS }, (_, at) => color(at, edge)).join(",");
    return `linear-gradient(to ${upright ? "bottom" : "right"},${colors}) ${place} / ${upright ? "51% 100%" : "100% 51%"} no-repeat`;
  };
  image.style.background = `${layer(0, "0 0")},${layer(1, "100% 100%")}`;
}
