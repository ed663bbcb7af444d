/* What an answer says of itself: who is silent, what went wrong, where each part comes from. */
"use strict";

const LEVELS = { NATIONAL: "国家", PROVINCIAL: "省", MUNICIPAL: "市", COUNTY: "县", SCHOOL: "校" };
const PROTOCOLS = {
  hub: "融通自有",
  hub_exchange: "体系枢纽交换",
  oai_pmh: "OAI-PMH 收割",
  oneroster: "OneRoster 花名册",
  rest: "REST 接口",
  smartedu: "国家平台接口",
  sql: "SQL 数据库",
  tables: "表格文件",
  xapi: "xAPI 学习记录",
};

const LETTERS = Object.fromEntries(Object.keys(LEVELS).map((each) => [each[0], each]));

/* Code of a source -> its name: answers tell codes, the graph's list of platforms the names. */
const names = new Map();

function element(tag, text = "", className = "") {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function level(code) {
  return LEVELS[code] ?? code ?? "";
}

function age(seconds) {
  if (seconds < 1) return "刚刚";
  if (seconds < 90) return `${Math.round(seconds)} 秒`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} 分钟`;
  return seconds < 129600 ? `${Math.round(seconds / 3600)} 小时` : `${Math.round(seconds / 86400)} 天`;
}

/* me.enrollments.nodes.classGroup -> me › enrollments › classGroup */
function steps(path) {
  return path.split(".").filter((step) => step !== "nodes").join(" › ");
}

const list = (value) => (Array.isArray(value) ? value : []);

function tellSilent(banner, silent) {
  banner.hidden = silent.length === 0;
  const title = element("strong", `${silent.length} 个来源没有应答，结果可能不完整 `);
  title.append(element("i", `${silent.length} silent, the answer may be partial`));
  const items = element("ul");
  items.append(...silent.map(silentOne));
  banner.replaceChildren(title, items);
}

function silentOne(gap) {
  const name = gap.name ?? names.get(gap.source) ?? gap.source ?? "?";
  const item = element("li");
  item.append(badge(gap.level), element("b", ` ${name} `), element("code", gap.code ?? ""));
  if (gap.reason) item.append(element("span", ` ${gap.reason}`));
  if (gap.remembered) item.append(element("em", " 已用此前记得的内容代替 remembered copy shown"));
  if (list(gap.paths).length) item.append(element("small", ` ${gap.paths.map(steps).join("；")}`));
  return item;
}

function tellProblems(banner, errors) {
  banner.hidden = errors.length === 0;
  const title = element("strong", `${errors.length} 个错误 `);
  title.append(element("i", errors.length === 1 ? "1 error" : `${errors.length} errors`));
  const items = element("ul");
  items.append(...errors.slice(0, 9).map(problem));
  banner.replaceChildren(title, items);
}

function problem(error) {
  const item = element("li");
  item.append(element("code", error.extensions?.code ?? ""), element("span", ` ${error.message ?? ""}`));
  if (list(error.path).length) item.append(element("small", ` ${error.path.join(" › ")}`));
  return item;
}

/* "c371502-roster C oneroster 12" -> its parts; names are asked for once. */
function sourceOf(line) {
  const [code, letter, protocol, seconds] = String(line).split(" ");
  return { code, level: LETTERS[letter], protocol, seconds: Number(seconds), name: names.get(code) };
}

const own = (value) => typeof value !== "object" || Array.isArray(value) || /^\d/.test(Object.keys(value)[0] ?? "");

/* A tree of response keys -> [path, origins] for everything it tells; see hub/web/provenance.py. */
function flat(tree, above = "") {
  return Object.entries(tree ?? {}).flatMap(([step, below]) => {
    const path = [above, step].filter(Boolean).join(".");
    return own(below) ? [[path, origins(below)]] : flat(below, path);
  });
}

/* Origins of one path -> [number, records, age of a remembered copy] for each source. */
function origins(told) {
  if (typeof told !== "object") return [[told, 1]];
  const counted = Array.isArray(told) ? [[1, told]] : Object.entries(told);
  return counted.flatMap(([count, who]) =>
    (Array.isArray(who) ? who : [who]).map((each) =>
      Array.isArray(each) ? [each[0], count, each[1]] : [each, count],
    ),
  );
}

function tellOrigins(details, given) {
  const paths = flat(given?.paths);
  const sources = list(given?.sources).map(sourceOf);
  details.hidden = paths.length === 0;
  details.querySelector("tbody").replaceChildren(...paths.flatMap(([path, from]) => rows(path, from, sources)));
  const account = given?.account ?? {};
  const stale = list(account.stale).length;
  const summary = details.querySelector("summary");
  summary.replaceChildren(
    element("strong", "出处 "),
    element("i", "provenance"),
    element("span", ` ${sources.length} 个来源，${paths.length} 处`),
    element("span", account.asked === undefined ? "" : `；问了 ${account.asked} 个，答了 ${account.answered ?? account.asked} 个`),
    element("em", stale ? `；${stale} 个是过期的记忆` : ""),
    element("span", given?.pathsLeftOut ? `；另有 ${given.pathsLeftOut} 处未列出` : ""),
  );
}

function rows(path, from, sources) {
  return list(from).map(([number, count, stale], index) => {
    const source = sources[number] ?? {};
    const row = element("tr", "", index ? "" : "first");
    if (index === 0) {
      const cell = element("th", steps(path), "path");
      cell.scope = "rowgroup";
      cell.rowSpan = from.length;
      cell.title = path;
      row.append(cell);
    }
    const name = element("td", source.name ?? (source.protocol === "hub" ? "融通" : ""), "name");
    name.append(element("code", source.code ?? ""));
    const place = element("td");
    place.append(badge(source.level));
    const when = element("td", age(stale ?? source.seconds), "age");
    if (stale !== undefined) when.append(element("em", "过期 stale", "stale"));
    const protocol = element("td", PROTOCOLS[source.protocol] ?? source.protocol ?? "");
    row.append(name, place, protocol, element("td", `${count}`, "count"), when);
    return row;
  });
}

function badge(code) {
  return element("span", level(code), `level ${String(code ?? "").toLowerCase()}`);
}

let learning = null;
let latest = null;

async function learnNames() {
  try {
    const response = await fetch("/graphql", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ query: "{ platforms { code name } }" }),
    });
    const answer = await response.json();
    for (const each of list(answer.data?.platforms)) names.set(each.code, each.name);
  } catch {
    learning = null; /* the code is shown instead */
  }
}

/* Shows what `answer` says of itself in #silent, #problems and #origins; `null` clears them. */
async function tell(answer) {
  const told = answer?.extensions ?? {};
  const silent = list(told.silent).filter((gap) => gap && typeof gap === "object");
  const at = (id) => document.getElementById(id);
  tellSilent(at("silent"), silent);
  tellProblems(at("problems"), list(answer?.errors));
  tellOrigins(at("origins"), told.provenance);
  latest = answer;
  const unnamed = (source) => source.protocol !== "hub" && !names.has(source.code);
  const sources = list(told.provenance?.sources).map(sourceOf);
  if (!sources.some(unnamed) && !silent.some((gap) => !gap.name && !names.has(gap.source))) return;
  await (learning ??= learnNames());
  if (latest !== answer) return;
  tellSilent(at("silent"), silent);
  tellOrigins(at("origins"), told.provenance);
}
