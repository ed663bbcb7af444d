// The demo application's page: code + PKCE (RFC 7636), silent sign-in, one query to the graph, sign-out.
const settings = await (await fetch("/settings.json")).json();
const words = {
  zh: { in: "登录", out: "退出", asking: "正在登录……", here: "已登录", gone: "未登录", ended: "已退出登录",
    who: "您是谁", graph: "图中的您", name: "姓名", sub: "本应用内的标识", roles: "身份", acr: "核验方式", other: "English",
    account: "我的账号", and: "、", password: "密码", passkey: "通行密钥", "name-verified": "已实名",
    "face-verified": "已实人", TEACHER: "教师", STUDENT: "学生", GUARDIAN: "监护人", PRINCIPAL: "校长", STAFF: "职员",
    ADMIN: "管理员" },
  en: { in: "Sign in", out: "Sign out", asking: "Signing in …", here: "Signed in", gone: "Signed out",
    ended: "Signed out", who: "Who you are", graph: "You in the graph", name: "Name",
    sub: "Identifier in this application", roles: "Roles", acr: "Assurance", other: "中文",
    account: "My account", and: ", ", password: "Password", passkey: "Passkey", "name-verified": "Name verified",
    "face-verified": "Face verified", TEACHER: "Teacher", STUDENT: "Pupil", GUARDIAN: "Guardian",
    PRINCIPAL: "Head of school", STAFF: "Staff", ADMIN: "Administrator" },
};
const QUERY = `query Me {
  me { id displayName roles school { name region { name parent { name } } } }
  viewer { subject roles }
}`;
const at = (id) => document.getElementById(id);
const kept = sessionStorage;
const asked = new URLSearchParams(location.search);
let language = (asked.get("lang") ?? kept.getItem("lang")) === "en" ? "en" : "zh";
kept.setItem("lang", language);
let state = "gone";
let tokens = null;
let claims = null;

const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const redirect = `${location.origin}/callback`;
const read = (token) => JSON.parse(new TextDecoder().decode(
  Uint8Array.from(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0))));

function show() {
  const say = words[language];
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  at("title").textContent = settings.title[language === "zh" ? 0 : 1];
  document.title = at("title").textContent;
  at("language").textContent = say.other;
  at("state").textContent = say[state];
  at("in").textContent = say.in;
  at("out").textContent = say.out;
  at("in").hidden = state === "here" || state === "asking";
  at("out").hidden = state !== "here";
  at("who").hidden = state !== "here";
  at("account").hidden = state !== "here";
  at("account").textContent = say.account;
  at("account").href = `${settings.issuer}/account`;
  at("who-title").textContent = say.who;
  at("graph-title").textContent = say.graph;
  document.body.dataset.state = state;
  if (!claims) return;
  const acr = (claims.acr ?? "").split(":").at(-1);
  const roles = [...new Set((claims.roles ?? []).map((role) => role.role))];
  const rows = [[say.name, claims.name ?? ""], [say.sub, claims.sub], [say.acr, say[acr] ?? acr],
    [say.roles, roles.map((role) => say[role] ?? role).join(say.and)]];
  at("facts").replaceChildren(...rows.flatMap(([term, value]) => {
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = term;
    dd.textContent = value;
    return [dt, dd];
  }));
}

function trouble(text) {
  at("trouble").textContent = text;
  at("trouble").hidden = !text;
}

async function begin(prompt) {
  const verifier = random(), mark = random(), nonce = random();
  kept.setItem("flow", JSON.stringify({ verifier, mark, nonce }));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const params = new URLSearchParams({ response_type: "code", client_id: settings.client_id, redirect_uri: redirect,
    scope: "openid profile roles graph", state: mark, nonce, code_challenge: base64url(digest),
    code_challenge_method: "S256", ui_locales: language === "zh" ? "zh-CN" : "en" });
  if (prompt) params.set("prompt", prompt);
  location.assign(`${settings.issuer}/oauth/authorize?${params}`);
}

async function token(form) {
  const reply = await fetch(`${settings.issuer}/oauth/token`, { method: "POST",
    body: new URLSearchParams({ client_id: settings.client_id, ...form }) });
  const told = await reply.json();
  if (!reply.ok) throw new Error(`${told.error}: ${told.error_description ?? ""}`);
  return told;
}

async function callback() {
  const flow = JSON.parse(kept.getItem("flow") ?? "{}");
  kept.removeItem("flow");
  history.replaceState(null, "", "/");
  if (!flow.mark || asked.get("state") !== flow.mark) return trouble("state?");
  if (asked.get("iss") !== settings.issuer) return trouble("iss?");
  if (asked.has("error")) {
    kept.setItem("silent", "tried");
    if (asked.get("error") !== "login_required") trouble(asked.get("error_description") ?? asked.get("error"));
    return;
  }
  const told = await token({ grant_type: "authorization_code", code: asked.get("code"), redirect_uri: redirect,
    code_verifier: flow.verifier });
  if (read(told.id_token).nonce !== flow.nonce) return trouble("nonce?");
  kept.setItem("tokens", JSON.stringify(told));
}

async function query() {
  try {
    const answer = await fetch(settings.graph, { method: "POST", body: JSON.stringify({ query: QUERY }),
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${tokens.access_token}` } });
    at("answer").textContent = JSON.stringify(await answer.json(), null, 2);
  } catch (error) {
    trouble(String(error.message ?? error));
  }
}

function forget(next) {
  kept.removeItem("tokens");
  tokens = claims = null;
  at("answer").textContent = "";
  kept.setItem("silent", "tried");
  state = next;
  show();
}

async function watch() {
  while (claims?.sid) {
    await new Promise((done) => setTimeout(done, 1000));
    const told = await fetch(`/ended?sid=${encodeURIComponent(claims?.sid ?? "")}`)
      .then((reply) => reply.json()).catch(() => ({}));
    if (claims && told.ended) return forget("ended");
  }
}

at("in").addEventListener("click", () => begin(""));
at("out").addEventListener("click", () => {
  const params = new URLSearchParams({ id_token_hint: tokens.id_token, client_id: settings.client_id,
    post_logout_redirect_uri: `${location.origin}/` });
  forget("gone");
  location.assign(`${settings.issuer}/oauth/logout?${params}`);
});
at("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  kept.setItem("lang", language);
  show();
});

try {
  if (location.pathname === "/callback") await callback();
} catch (error) {
  trouble(String(error.message ?? error));
}
tokens = JSON.parse(kept.getItem("tokens") ?? "null");
if (tokens) {
  claims = read(tokens.id_token);
  state = "here";
  show();
  await query();
  watch();
} else if (!kept.getItem("silent")) {
  kept.setItem("silent", "tried");
  state = "asking";
  show();
  await begin("none");
} else {
  show();
}
