/* The query page: who asks, to what purpose, and what. No address but our own. */
"use strict";

const ANONYMOUS = { name: "anonymous", title_zh: "未登录", title_en: "anonymous", token: "" };

const RUN = "运行 run：Ctrl + Enter";

/* What each declared purpose opens, and to whom: the header X-Rongtong-Purpose. */
const PURPOSES = [
  {
    name: "", title_zh: "不声明", title_en: "none",
    told: "公开内容、与本人和子女有关的信息、任教班级，无须声明目的 / what is public, your own, your children's and your classes' needs no purpose",
  },
  {
    name: "teaching", title_zh: "教学", title_en: "teaching",
    told: "任课教师读取任教班级学生的信息 / teachers, for the pupils of the classes they teach",
  },
  {
    name: "school-management", title_zh: "学校管理", title_en: "school management",
    told: "校长与各级管理员履行学校管理职责时读取 / heads of school and officers, for running schools",
  },
  {
    name: "roll", title_zh: "学籍管理", title_en: "pupil roll",
    told: "校长与各级管理员办理学籍时读取学籍信息 / heads of school and officers, for keeping the roll",
  },
  {
    name: "aid", title_zh: "学生资助", title_en: "student aid",
    told: "各级管理员办理资助时读取受助学生的信息 / officers, for granting aid",
  },
  {
    name: "dropout-prevention", title_zh: "控辍保学", title_en: "dropout prevention",
    told: "各级管理员劝返失学儿童时读取 / officers, for bringing children back to school",
  },
];

const state = {
  token: "", mine: false, purpose: "", provenance: true, examples: [], personas: [ANONYMOUS], root: null, shown: 0, asked: 0,
};

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
  const token = state.mine ? await signedToken() : state.token;
  if (token) headers.Authorization = `Bearer ${token}`;
  if (state.purpose) headers["X-Rongtong-Purpose"] = state.purpose;
  const body = { ...params, operationName: named(params), extensions: { provenance: state.provenance } };
  const aside = params.operationName === "IntrospectionQuery";
  const turn = aside ? state.asked : ++state.asked;
  const answer = await sent(headers, body);
  if (!aside && turn === state.asked) tell(answer);
  return answer;
}

async function sent(headers, body) {
  try {
    const response = await fetch("/graphql", { method: "POST", headers, body: JSON.stringify(body) });
    return await response.json();
  } catch {
    const message = "融通没有应答，请稍后再试 / the hub did not answer, try again later";
    return { errors: [{ message, extensions: { code: "NO_ANSWER" } }] };
  }
}

function option(item, index) {
  const made = document.createElement("option");
  made.value = String(index);
  made.textContent = both(item);
  return made;
}

/* Examples stand under whom they suit, in the order of the personas; their values are their places. */
function grouped(select) {
  const groups = new Map(state.personas.map((each) => [each.name, each]));
  const made = [];
  for (const [name, persona] of groups) {
    const own = state.examples.map((each, index) => [each, index]).filter(([each]) => each.persona === name);
    if (own.length) made.push(group(both(persona), own));
  }
  const others = state.examples.map((each, index) => [each, index]).filter(([each]) => !groups.has(each.persona));
  if (others.length) made.push(group("其他 / others", others));
  select.replaceChildren(...made);
}

function group(label, own) {
  const made = document.createElement("optgroup");
  made.label = label;
  made.append(...own.map(([example, index]) => option(example, index)));
  return made;
}

function become(index) {
  state.token = state.personas[index]?.token ?? "";
  state.mine = state.personas[index]?.name === "me";
}

function declare(index) {
  state.purpose = PURPOSES[index].name;
  const note = state.purpose ? "。与职务不符的目的不起作用 / a purpose beyond your office opens nothing" : "";
  at("purpose-told").textContent = PURPOSES[index].told.replace(" / ", `${note.split(" / ")[0]} / `) +
    (note ? `; ${note.split(" / ")[1]}` : "");
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
      defaultEditorToolsVisibility: Object.keys(example?.variables ?? {}).length ? "variables" : false,
      defaultTheme: "light",
      forcedTheme: "light",
      storage: memory(),
    }, React.createElement(GraphiQL.Logo, null, React.createElement("span", { className: "run-keys" }, RUN))),
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
  if (persona >= 0 && !state.mine) {
    at("persona").value = String(persona);
    become(persona);
  }
  state.asked += 1;
  tell(null);
  show(example);
}

function listen(id, event, act) {
  at(id).addEventListener(event, ({ target }) => act(target));
}

async function start() {
  const [personas, examples, me] = await Promise.all([
    json("/demo/personas.json"), json("/static/examples.json"), signOn(),
  ]);
  if (personas) state.personas = [ANONYMOUS, ...personas.filter((each) => each.name !== "anonymous")];
  if (me) state.personas = [me, ...state.personas];
  state.examples = examples ?? [];
  at("persona-field").hidden = !personas && !me;
  at("token-field").hidden = Boolean(personas) || Boolean(signed.offered);
  at("persona").replaceChildren(...state.personas.map(option));
  at("purpose").replaceChildren(...PURPOSES.map(option));
  grouped(at("example"));
  at("example").value = "0";
  listen("persona", "change", (target) => become(Number(target.value)));
  listen("token", "input", (target) => { state.token = target.value.trim(); });
  listen("purpose", "change", (target) => declare(Number(target.value)));
  listen("provenance", "change", (target) => { state.provenance = target.checked; });
  listen("example", "change", (target) => choose(Number(target.value)));
  state.root = ReactDOM.createRoot(at("graphiql"));
  declare(0);
  choose(0);
  if (me) {
    at("persona").value = "0";
    become(0);
  }
}

start();
