/* The query page: who asks, what to ask, and who stayed silent. No address but our own. */
"use strict";

const ANONYMOUS = { name: "anonymous", title_zh: "未登录", title_en: "anonymous", token: "" };

const state = { token: "", provenance: true, examples: [], personas: [ANONYMOUS], root: null, shown: 0 };

const at = (id) => document.getElementById(id);
const both = (item) => `${item.title_zh} / ${item.title_en}`;

async function json(address) {
  try {
    const response = await fetch(address, { headers: { Accept: "application/json" } });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

/* GraphiQL learns an operation's name a moment after it was typed: one that is gone is not sent. */
function named({ query, operationName }) {
  return operationName && new RegExp(`\\b${operationName}\\b`).test(query) ? operationName : null;
}

async function ask(params) {
  const headers = {
    "Content-Type": "application/json",
    Accept: "application/graphql-response+json, application/json;q=0.9",
  };
  if (state.token) headers.Authorization = `Bearer ${state.token}`;
  const body = { ...params, operationName: named(params), extensions: { provenance: state.provenance } };
  const response = await fetch("/graphql", { method: "POST", headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (params.operationName !== "IntrospectionQuery") announce(answer);
  return answer;
}

/* `extensions.silent`: names, or objects with a name, a level, a reason, an age. */
function describe(source) {
  if (typeof source !== "object" || source === null) return String(source);
  const name = source.name ?? source.sourceName ?? source.source ?? source.sourceCode ?? "?";
  const reason = source.reason ?? source.code;
  const details = [source.level, reason].filter(Boolean).join("，");
  return details ? `${name}（${details}）` : String(name);
}

function announce(answer) {
  const given = answer?.extensions?.silent;
  const silent = Array.isArray(given) ? given : [];
  const banner = at("silent");
  banner.hidden = silent.length === 0;
  banner.textContent = silent.length
    ? `${silent.length} 个来源没有应答，以下结果不完整 / ${silent.length} sources were silent, this answer is partial: ` +
      silent.map(describe).join("；")
    : "";
}

function options(select, items) {
  select.replaceChildren(
    ...items.map((item, index) => {
      const option = document.createElement("option");
      option.value = String(index);
      option.textContent = both(item);
      return option;
    }),
  );
}

function become(index) {
  state.token = state.personas[index]?.token ?? "";
}

function show(example) {
  state.shown += 1;
  state.root.render(
    React.createElement(GraphiQL, {
      key: state.shown,
      fetcher: ask,
      defaultQuery: "",
      query: example?.query ?? "{ __typename }",
      variables: example?.variables ? JSON.stringify(example.variables, null, 2) : "{}",
      shouldPersistHeaders: false,
      isHeadersEditorEnabled: false,
      defaultEditorToolsVisibility: "variables",
      defaultTheme: "light",
      storage: memory(),
    }),
  );
}

/* Answers are about people: nothing of them stays on this computer's disk. */
function memory() {
  const kept = new Map();
  return {
    get length() { return kept.size; },
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, String(value)),
    removeItem: (key) => void kept.delete(key),
    clear: () => kept.clear(),
  };
}

function choose(index) {
  const example = state.examples[index];
  const persona = state.personas.findIndex((each) => each.name === example?.persona);
  if (persona >= 0) {
    at("persona").value = String(persona);
    become(persona);
  }
  announce(null);
  show(example);
}

async function start() {
  const [personas, examples] = await Promise.all([json("/demo/personas.json"), json("/static/examples.json")]);
  if (personas) state.personas = [ANONYMOUS, ...personas.filter((each) => each.name !== "anonymous")];
  state.examples = examples ?? [];
  at("persona-field").hidden = !personas;
  at("token-field").hidden = Boolean(personas);
  options(at("persona"), state.personas);
  options(at("example"), state.examples);
  at("persona").addEventListener("change", (event) => become(Number(event.target.value)));
  at("token").addEventListener("input", (event) => { state.token = event.target.value.trim(); });
  at("provenance").addEventListener("change", (event) => { state.provenance = event.target.checked; });
  at("example").addEventListener("change", (event) => choose(Number(event.target.value)));
  state.root = ReactDOM.createRoot(at("graphiql"));
  choose(0);
}

start();
