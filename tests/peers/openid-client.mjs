// npm's openid-client as an application below the hub: it signs people in and validates everything it gets,
// signatures of ID tokens included. Logout tokens are received here and validated with jose.

import * as jose from 'jose';
import * as oidc from 'openid-client';

import { answering, listening } from './served.mjs';

const parties = new Map(); // client_id -> { config, dpop }
const under = new Map(); // state -> the request under way
const notices = [];
let waiting = [];

const own = { kid: 'own', ...(await jose.generateKeyPair('ES256', { extractable: true })) };
const jwks = { keys: [{ ...(await jose.exportJWK(own.publicKey)), kid: own.kid, use: 'sig', alg: 'ES256' }] };

async function logoutToken(request, body) {
  const client_id = request.url.split('/').pop();
  const { issuer, jwks_uri } = parties.get(client_id).config.serverMetadata();
  let notice;
  try {
    const keys = jose.createRemoteJWKSet(new URL(jwks_uri));
    const { payload, protectedHeader } = await jose.jwtVerify(
      new URLSearchParams(body).get('logout_token'), keys,
      {
        issuer, audience: client_id, typ: 'logout+jwt', maxTokenAge: '2 minutes',
        requiredClaims: ['iat', 'exp', 'jti', 'events', 'sid', 'sub'],
      },
    );
    if ('nonce' in payload) throw new Error('a logout token has no nonce');
    if (!payload.events['http://schemas.openid.net/event/backchannel-logout']) throw new Error('events');
    notice = { client_id, alg: protectedHeader.alg, ...payload };
  } catch (error) {
    notice = { client_id, refused: error.message };
  }
  notices.push(notice);
  waiting.forEach((go) => go());
  return [notice.refused ? 400 : 200, {}];
}

const url = await listening({ '/jwks': () => [200, jwks], '/backchannel/': logoutToken });

const ways = {
  none: () => oidc.None(),
  client_secret_basic: (secret) => oidc.ClientSecretBasic(secret),
  client_secret_post: (secret) => oidc.ClientSecretPost(secret),
  private_key_jwt: () => oidc.PrivateKeyJwt({ key: own.privateKey, kid: own.kid }),
};
const execute = [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks];

function result(tokens) {
  return { ...tokens, claims: tokens.claims() ?? null };
}

function keep(config, dpop) {
  const { client_id } = config.clientMetadata();
  parties.set(client_id, { config, options: dpop ? { DPoP: oidc.getDPoPHandle(config, dpop) } : {} });
}

async function checked(response, { code_verifier: pkceCodeVerifier, state, nonce, max_age, client_id }) {
  const { config, options } = parties.get(client_id);
  const checks = { pkceCodeVerifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
  if (max_age !== undefined) checks.maxAge = max_age;
  return result(await oidc.authorizationCodeGrant(config, response, checks, undefined, options));
}

await answering(url, {
  /** Discovers the issuer as one client. */
  async know({ issuer, client_id, auth, secret, alg, dpop }) {
    const metadata = { id_token_signed_response_alg: alg ?? 'ES256' };
    const config = await oidc.discovery(new URL(issuer), client_id, metadata, ways[auth](secret), { execute });
    keep(config, dpop ? await oidc.randomDPoPKeyPair('ES256') : null);
    return config.serverMetadata();
  },
  /** Registers a client of its own, and is that client from then on. */
  async register({ issuer, metadata, initial }) {
    const options = { execute, initialAccessToken: initial };
    const config = await oidc.dynamicClientRegistration(new URL(issuer), metadata, undefined, options);
    keep(config, null);
    return config.clientMetadata();
  },
  /** The address that a browser is sent to; way: plain, par, jar or both. */
  async begin({ client_id, redirect_uri, scope, way, more }) {
    const { config, options } = parties.get(client_id);
    const [code_verifier, state, nonce] = [
      oidc.randomPKCECodeVerifier(), oidc.randomState(), oidc.randomNonce(),
    ];
    const code_challenge = await oidc.calculatePKCECodeChallenge(code_verifier);
    let parameters = {
      redirect_uri, scope, state, nonce, code_challenge, code_challenge_method: 'S256', ...more,
    };
    under.set(state, { client_id, code_verifier, state, nonce, max_age: more?.max_age && Number(more.max_age) });
    let address = oidc.buildAuthorizationUrl(config, parameters);
    if (way.includes('jar')) {
      const key = { key: own.privateKey, kid: own.kid };
      address = await oidc.buildAuthorizationUrlWithJAR(config, parameters, key);
      parameters = Object.fromEntries(address.searchParams);
    }
    if (way.includes('par')) {
      address = await oidc.buildAuthorizationUrlWithPAR(config, parameters, options);
    }
    return { url: address.href, state };
  },
  /** From the address that the browser came back to, to validated tokens. */
  async finish({ url: came, state }) {
    const request = under.get(state);
    return checked(new URL(came), request);
  },
  /** The same, where the answer came by response_mode=form_post. */
  async posted({ url: came, fields, state }) {
    const body = new URLSearchParams(fields);
    return checked(new Request(came, { method: 'POST', body }), under.get(state));
  },
  async userinfo({ client_id, token, sub }) {
    const { config, options } = parties.get(client_id);
    return oidc.fetchUserInfo(config, token, sub, options);
  },
  async refresh({ client_id, token, scope }) {
    const { config, options } = parties.get(client_id);
    return result(await oidc.refreshTokenGrant(config, token, scope ? { scope } : undefined, options));
  },
  async introspect({ client_id, token }) {
    return oidc.tokenIntrospection(parties.get(client_id).config, token);
  },
  async revoke({ client_id, token }) {
    return oidc.tokenRevocation(parties.get(client_id).config, token);
  },
  async credentials({ client_id, scope }) {
    const { config, options } = parties.get(client_id);
    return { ...(await oidc.clientCredentialsGrant(config, { scope }, options)) };
  },
  async device({ client_id, scope }) {
    return oidc.initiateDeviceAuthorization(parties.get(client_id).config, { scope });
  },
  async polled({ client_id, device }) {
    const { config, options } = parties.get(client_id);
    return result(await oidc.pollDeviceAuthorizationGrant(config, device, undefined, options));
  },
  async ending({ client_id, parameters }) {
    return oidc.buildEndSessionUrl(parties.get(client_id).config, parameters).href;
  },
  /** What a resource of the hub answers to an access token. */
  async resource({ client_id, token, url: address, body }) {
    const { config, options } = parties.get(client_id);
    const headers = new Headers({ 'content-type': 'application/json' });
    const response = await oidc.fetchProtectedResource(
      config, token, new URL(address), 'POST', JSON.stringify(body), headers, options,
    );
    return { status: response.status, body: await response.json() };
  },
  /** The logout token about this session of this client, validated; one that was not valid comes first. */
  async notice({ client_id, sid }) {
    for (;;) {
      const at = notices.findIndex(
        (each) => each.client_id === client_id && (each.refused || each.sid === sid),
      );
      if (at >= 0) return notices.splice(at, 1)[0];
      await new Promise((go) => waiting.push(go));
      waiting = [];
    }
  },
});
