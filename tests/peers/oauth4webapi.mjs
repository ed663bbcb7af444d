// npm's oauth4webapi as an application below the hub: the low-level client whose every check is on, in both
// roles: as a client, and as a resource server that validates the hub's access tokens (RFC 9068).

import { createHash } from 'node:crypto';

import * as oauth from 'oauth4webapi';

import { answering, listening } from './served.mjs';

const http = { [oauth.allowInsecureRequests]: true };
const parties = new Map(); // client_id -> { as, client, auth, DPoP }
const under = new Map(); // state -> the request under way
const url = await listening({});

/** What `ask` answers; once more if the server wants a DPoP nonce first, which the handle has kept by then. */
async function again(ask, read) {
  try {
    return await read(await ask());
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return read(await ask());
  }
}

function half(value) {
  return createHash('sha256').update(value).digest().subarray(0, 16).toString('base64url');
}

await answering(url, {
  async know({ issuer, client_id, secret, dpop, algorithm }) {
    const at = new URL(issuer);
    const response = await oauth.discoveryRequest(at, { algorithm: algorithm ?? 'oidc', ...http });
    const as = await oauth.processDiscoveryResponse(at, response);
    const client = { client_id, id_token_signed_response_alg: 'ES256', require_auth_time: true };
    const handle = dpop
      ? { DPoP: oauth.DPoP(client, await oauth.generateKeyPair('ES256')) } : {};
    const auth = secret ? oauth.ClientSecretBasic(secret) : oauth.None();
    parties.set(client_id, { as, client, auth, options: { ...handle, ...http } });
    return as;
  },
  async begin({ client_id, redirect_uri, scope, more }) {
    const { as } = parties.get(client_id);
    const request = {
      client_id, redirect_uri, verifier: oauth.generateRandomCodeVerifier(),
      state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce(),
    };
    under.set(request.state, request);
    const asked = {
      client_id, redirect_uri, scope, response_type: 'code', state: request.state, nonce: request.nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(request.verifier), code_challenge_method: 'S256',
      ...more,
    };
    return { url: `${as.authorization_endpoint}?${new URLSearchParams(asked)}`, state: request.state };
  },
  /** Every check that the library has: iss (RFC 9207), state, nonce, auth_time, algorithm, signature; at_hash. */
  async finish({ url: came, state, nonce }) {
    const request = under.get(state);
    const { as, client, auth, options } = parties.get(request.client_id);
    if (!as.authorization_response_iss_parameter_supported) throw new Error('iss is not promised');
    const parameters = oauth.validateAuthResponse(as, client, new URL(came), request.state);
    const ask = () => oauth.authorizationCodeGrantRequest(
      as, client, auth, parameters, request.redirect_uri, request.verifier, options,
    );
    const checks = { expectedNonce: nonce ?? request.nonce, requireIdToken: true, maxAge: 600 };
    return again(ask, async (response) => {
      const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, checks);
      await oauth.validateApplicationLevelSignature(as, response, http);
      const claims = oauth.getValidatedIdTokenClaims(tokens);
      if (claims.at_hash !== half(tokens.access_token)) throw new Error('at_hash');
      return { ...tokens, claims };
    });
  },
  async userinfo({ client_id, token, sub }) {
    const { as, client, options } = parties.get(client_id);
    const ask = () => oauth.userInfoRequest(as, client, token, options);
    return again(ask, (response) => oauth.processUserInfoResponse(as, client, sub, response));
  },
  async introspect({ client_id, token }) {
    const { as, client, auth } = parties.get(client_id);
    const response = await oauth.introspectionRequest(as, client, auth, token, http);
    return oauth.processIntrospectionResponse(as, client, response);
  },
  async refresh({ client_id, token }) {
    const { as, client, auth, options } = parties.get(client_id);
    const ask = () => oauth.refreshTokenGrantRequest(as, client, auth, token, options);
    return again(ask, (response) => oauth.processRefreshTokenResponse(as, client, response));
  },
  /** The hub's graph is asked with the token, and with a proof if it is bound to a key. */
  async resource({ client_id, token, url: address, body }) {
    const { options } = parties.get(client_id);
    const headers = new Headers({ 'content-type': 'application/json' });
    const ask = () => oauth.protectedResourceRequest(
      token, 'POST', new URL(address), headers, JSON.stringify(body), options,
    );
    return again(ask, async (response) => ({ status: response.status, body: await response.json() }));
  },
  /** As a resource server: is this token of the hub for `audience`, by its published keys alone? */
  async accepted({ client_id, token, audience }) {
    const { as } = parties.get(client_id);
    const request = new Request(audience, { headers: { authorization: `Bearer ${token}` } });
    const options = { signingAlgorithms: ['ES256'], ...http };
    return oauth.validateJwtAccessToken(as, request, audience, options);
  },
});
