// npm's oidc-provider as a level's identity provider, a process of its own.
//
// Reads its configuration as one JSON line on standard input: {"clients": [client metadata, …]}.
// Writes one JSON line when it is up: {"issuer": "http://127.0.0.1:<port>"}. Ends when its input ends,
// so that it never outlives the test that started it.

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import Provider from 'oidc-provider';

const lines = createInterface({ input: process.stdin });
const [line] = await once(lines, 'line');
const { clients } = JSON.parse(line);
lines.on('close', () => process.exit(0));

const made = [
  ['rsa', { modulusLength: 2048 }, 'RS256'],
  ['rsa', { modulusLength: 2048 }, 'PS256'],
  ['ec', { namedCurve: 'P-256' }, 'ES256'],
  ['ed25519', {}, 'EdDSA'],
].map(([type, options, alg]) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid: alg,
}));

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients,
  jwks: { keys: made },
  scopes: ['openid', 'profile'],
  claims: { openid: ['sub'], profile: ['name', 'roster_id', 'id_verified'] },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
  features: { backchannelLogout: { enabled: true } },
  // The hub of the tests is at loopback, which the library's own address guard would not notify.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  cookies: { keys: ['only for tests'] },
  pkce: { required: () => true },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `合成用户 ${id}`, roster_id: `t-${id}`, id_verified: true }),
  }),
});
provider.on('server_error', (_ctx, error) => console.error(error));
provider.on('backchannel.error', (_ctx, error) => console.error(error));
server.on('request', provider.callback());
console.log(JSON.stringify({ issuer }));
