// The routes of the service, from its own description.

import { find, make } from "./dom.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
let schemas = {};

const resolved = (schema) => (schema?.$ref ? schemas[schema.$ref.split("/").pop()] ?? {} : schema ?? {});

/** Say what a value may be, in one word. */
function typeOf(schema) {
  const { type, enum: values, anyOf, items } = resolved(schema);
  if (values) return values.join(" | ");
  if (anyOf) return anyOf.map(typeOf).filter((each) => each !== "null").join(" or ");
  return type === "array" ? `list of ${typeOf(items)}` : type ?? "any";
}

const row = (name, schema, more) => [make("dt", {}, make("code", {}, name)), make("dd", {}, [typeOf(schema), schema?.description ?? more].filter(Boolean).join(" · "))];
const rows = (title, found) => found.length > 0 && make("div", {}, make("h3", {}, title), make("dl", {}, ...found.flat()));

function bodyOf(operation) {
  const [[called, media] = []] = Object.entries(operation.requestBody?.content ?? {});
  if (!called) return [];
  const schema = resolved(media.schema);
  const example = media.example ?? schema.examples?.[0];
  const text = typeof example === "string" ? example : JSON.stringify(example, null, 2);
  return [rows(`Body, ${called}`, Object.entries(schema.properties ?? {}).map(([name, each]) => row(name, each))),
    example !== undefined && make("pre", {}, text)];
}

function routeOf(path, method, operation) {
  const parameters = (operation.parameters ?? []).map((each) => row(each.name, each.schema, each.description));
  return make("details", { className: "route" },
    make("summary", {}, make("b", {}, method.toUpperCase()), make("code", {}, path), make("span", { className: "soft" }, operation.summary ?? "")),
    make("div", {}, make("p", {}, operation.description ?? ""), rows("Parameters", parameters), ...bodyOf(operation)));
}

try {
  const described = await (await fetch("openapi.json")).json();
  schemas = described.components.schemas;
  const groups = new Map();
  for (const [path, methods] of Object.entries(described.paths)) {
    for (const method of METHODS.filter((each) => methods[each])) {
      const [tag] = methods[method].tags ?? ["other"];
      groups.set(tag, [...(groups.get(tag) ?? []), routeOf(path, method, methods[method])]);
    }
  }
  find("routes").replaceChildren(...[...groups].flatMap(([tag, routes]) => [make("h2", {}, tag), ...routes]));
} catch {
  find("trouble").hidden = false;
  find("trouble").textContent = "The description did not come. Load the page again.";
}
