// Passkeys (WebAuthn Level 2): the page asks the hub for a challenge, the device answers, a plain form hands it in.
"use strict";
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
const text = (buffer) => {
  let found = "";
  for (const each of new Uint8Array(buffer)) found += String.fromCharCode(each);
  return btoa(found).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
};
const named = (list) => (list ?? []).map((each) => ({ ...each, id: bytes(each.id) }));

async function options(form, address) {
  const answer = await fetch(address, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (!answer.ok) throw new Error(String(answer.status));
  const { publicKey } = await answer.json();
  const told = { ...publicKey, challenge: bytes(publicKey.challenge) };
  if (told.user) told.user = { ...told.user, id: bytes(told.user.id) };
  if (told.allowCredentials) told.allowCredentials = named(told.allowCredentials);
  if (told.excludeCredentials) told.excludeCredentials = named(told.excludeCredentials);
  return told;
}

function written(credential) {
  const { response } = credential;
  const told = { clientDataJSON: text(response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"])
    if (response[name]) told[name] = text(response[name]);
  if (response.getTransports) told.transports = response.getTransports();
  return JSON.stringify({
    id: credential.id, rawId: text(credential.rawId), type: credential.type, response: told, clientExtensionResults: {},
  });
}

function offer(form, address, ask) {
  if (!form) return;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    const said = form.querySelector("[data-said]");
    said.textContent = "";
    button.disabled = true;
    try {
      form.elements.credential.value = "";
      const publicKey = await options(form, address);
      form.elements.credential.value = written(await ask({ publicKey }));
      form.submit();
    } catch {
      said.textContent = form.dataset.failed;
      button.disabled = false;
    }
  });
}

if (window.PublicKeyCredential && navigator.credentials) {
  document.getElementById("passkey-none")?.setAttribute("hidden", "");
  offer(document.getElementById("passkey-sign-in"), "/sign-in/passkey/begin", (asked) => navigator.credentials.get(asked));
  offer(document.getElementById("passkey-add"), "/account/passkeys/begin", (asked) => navigator.credentials.create(asked));
}
