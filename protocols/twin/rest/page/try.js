// A page made from the OpenAPI document: a form per operation, and the answer as it came.

const METHODS = ["get", "post", "patch", "delete"];

/** An element with its attributes and what is in it. Text stays text. */
function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...content);
  return made;
}

/** The Authorization field of what was typed; none if nothing was. */
function authorization() {
  const { name, password, token } = document.getElementById("who").elements;
  if (token.value) return { Authorization: `Bearer ${token.value.trim()}` };
  if (!name.value) return {};
  const bytes = new TextEncoder().encode(`${name.value}:${password.value}`);
  return { Authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
}

/** The request that a form describes. */
function request(path, method, operation, form) {
  const headers = authorization();
  const query = new URLSearchParams();
  let url = path;
  for (const parameter of operation.parameters ?? []) {
    const { value } = form.elements[parameter.name];
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (!value) continue;
    else if (parameter.in === "query") query.set(parameter.name, value);
    else headers[parameter.name] = value;
  }
  const body = form.elements.body?.value;
  if (body) headers["Content-Type"] = Object.keys(operation.requestBody.content)[0];
  if (query.size) url += `?${query}`;
  // Nothing but what was typed here says who asks: no cookie, and no dialogue of the browser's.
  return [url, { method: method.toUpperCase(), headers, body, credentials: "omit" }];
}

/** An answer as text; of a stream what comes until the form is sent again. */
async function show(response, output) {
  const fields = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  output.textContent = `${response.status} ${response.statusText}\n${fields}\n\n`;
  output.className = response.ok ? "" : "error";
  const type = response.headers.get("content-type") ?? "";
  if (type.includes("json")) {
    output.textContent += JSON.stringify(await response.json(), null, 2);
    return;
  }
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    output.textContent += value;
  }
}

function parameterField(parameter) {
  const hint = `${parameter.name} (${parameter.description ?? parameter.in})`;
  const field = element("input", { name: parameter.name, autocomplete: "off" });
  field.required = parameter.required === true;
  return element("label", {}, hint, field);
}

function operationForm(path, method, operation) {
  const form = element("form", {}, ...(operation.parameters ?? []).map(parameterField));
  if (operation.requestBody) {
    form.append(element("label", {}, "Body", element("textarea", { name: "body", spellcheck: "false" }, "{}")));
  }
  const output = element("pre", { "aria-live": "polite" });
  form.append(element("button", {}, "Send"));
  let last;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    last?.abort();
    last = new AbortController();
    output.textContent = "…";
    form.append(output);
    try {
      const [url, init] = request(path, method, operation, form);
      await show(await fetch(url, { ...init, signal: last.signal }), output);
    } catch (error) {
      if (error.name === "AbortError") return;
      output.className = "error";
      output.textContent = String(error);
    }
  });
  const title = element("summary", {}, element("code", {}, method.toUpperCase()), path);
  return element("details", { id: operation.operationId }, title, form);
}

const main = document.getElementById("operations");
try {
  const description = await (await fetch("/api/v1/openapi.json", { credentials: "omit" })).json();
  const groups = new Map();
  for (const [path, item] of Object.entries(description.paths)) {
    for (const method of METHODS.filter((method) => item[method])) {
      const [tag] = item[method].tags;
      if (!groups.has(tag)) groups.set(tag, element("section", {}, element("h2", {}, tag)));
      groups.get(tag).append(operationForm(path, method, item[method]));
    }
  }
  main.replaceChildren(...groups.values());
} catch (error) {
  main.replaceChildren(element("p", { class: "error" }, `The description cannot be read: ${error}`));
}
document.getElementById("who").addEventListener("submit", (event) => event.preventDefault());
