// What both relying parties share: asked by JSON lines on standard input, heard over HTTP at an address of
// their own, where their public keys are and where they are told that a session ended.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Everything of an error that a test may look at; secrets are not among it. */
function told(error) {
  const { name, message, code, error: oauth, error_description, status, cause } = error;
  const inner = cause instanceof Error ? { cause: told(cause) } : {};
  return { name, message, code, error: oauth, error_description, status, ...inner };
}

/** Listens on a free port; `paths` maps the beginning of a path to what answers [status, body] for a request. */
export async function listening(paths) {
  const server = createServer(async (request, response) => {
    const path = Object.keys(paths).find((each) => request.url.startsWith(each));
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const [status, body] = path
      ? await paths[path](request, Buffer.concat(chunks).toString())
      : [404, {}];
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}`;
}

/** Answers every line with {"done": value} or {"failed": error}, one after the other, until input ends. */
export async function answering(url, doing) {
  const lines = createInterface({ input: process.stdin });
  console.log(JSON.stringify({ url }));
  for await (const line of lines) {
    const { do: what, ...values } = JSON.parse(line);
    let said;
    try {
      said = { done: (await doing[what](values)) ?? null };
    } catch (error) {
      said = { failed: told(error) };
    }
    console.log(JSON.stringify(said));
  }
  process.exit(0);
}
