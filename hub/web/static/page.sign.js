/* Signing in on the query page: code with PKCE (RFC 7636) at the hub itself; tokens live in this tab's memory. */
"use strict";

const PAGE_CLIENT = "rongtong-page";
const FLOW = "rongtong-sign-in";

const signed = { offered: null, tokens: null, until: 0, name: "" };

const letters = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const chance = () => letters(crypto.getRandomValues(new Uint8Array(32)));
const home = () => `${location.origin}/`;

function claimsOf(token) {
  const bytes = Uint8Array.from(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

/* Whether sign-on is on here, and who has just come back from it. */
async function signOn() {
  signed.offered = await json("/.well-known/openid-configuration");
  if (!signed.offered || !globalThis.crypto?.subtle) return null;
  at("sign-in").hidden = false;
  at("sign-in").addEventListener("click", () => leave());
  at("sign-out").addEventListener("click", () => signOut());
  return back();
}

async function leave() {
  const flow = { verifier: chance(), state: chance(), nonce: chance() };
  sessionStorage.setItem(FLOW, JSON.stringify(flow));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(flow.verifier));
  const asked = new URLSearchParams({
    response_type: "code", client_id: PAGE_CLIENT, redirect_uri: home(), scope: "openid profile graph",
    state: flow.state, nonce: flow.nonce, code_challenge: letters(digest), code_challenge_method: "S256",
  });
  location.assign(`${signed.offered.authorization_endpoint}?${asked}`);
}

async function back() {
  const told = new URLSearchParams(location.search);
  const flow = JSON.parse(sessionStorage.getItem(FLOW) ?? "null");
  sessionStorage.removeItem(FLOW);
  if (!told.has("state")) return null;
  history.replaceState(null, "", "/");
  if (!flow || told.get("state") !== flow.state || told.get("iss") !== signed.offered.issuer) return null;
  if (!told.has("code")) return null;
  const got = await exchanged({
    grant_type: "authorization_code", code: told.get("code"), redirect_uri: home(), code_verifier: flow.verifier,
  });
  if (!got || claimsOf(got.id_token).nonce !== flow.nonce) return null;
  signed.name = claimsOf(got.id_token).name ?? "";
  at("sign-in").hidden = true;
  at("sign-out").hidden = false;
  return { name: "me", title_zh: signed.name || "本人", title_en: "signed in", token: "" };
}

async function exchanged(form) {
  const reply = await fetch(signed.offered.token_endpoint, {
    method: "POST", body: new URLSearchParams({ client_id: PAGE_CLIENT, ...form }),
  });
  if (!reply.ok) return null;
  const got = await reply.json();
  signed.tokens = { ...signed.tokens, ...got };
  signed.until = Date.now() + (got.expires_in - 20) * 1000;
  return got;
}

/* The access token, renewed when it is about to end; "" once the sign-on is over. */
async function signedToken() {
  if (!signed.tokens) return "";
  if (Date.now() > signed.until) {
    const got = await exchanged({ grant_type: "refresh_token", refresh_token: signed.tokens.refresh_token });
    if (!got) {
      signed.tokens = null;
      at("sign-in").hidden = false;
      at("sign-out").hidden = true;
      return "";
    }
  }
  return signed.tokens.access_token;
}

function signOut() {
  const asked = new URLSearchParams({
    id_token_hint: signed.tokens?.id_token ?? "", client_id: PAGE_CLIENT, post_logout_redirect_uri: home(),
  });
  signed.tokens = null;
  location.assign(`${signed.offered.end_session_endpoint}?${asked}`);
}
