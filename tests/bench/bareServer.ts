import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import OpenAI from 'openai';
import { type RunRequest, toResponseParams } from '../../shared/engine/responseParams.ts';

/*
 * Baseline of a create: HTTP and one call to the engine, whose stream is closed after its first event, without token,
 * project or store. A GET returns a constant, to measure HTTP alone and the client's own limit.
 */

const openai = new OpenAI({
  baseURL: process.env['OPENAI_BASE_URL'],
  apiKey: process.env['OPENAI_API_KEY'],
  maxRetries: 0,
});

const server = createServer(async (request, response) => {
  if (request.method === 'GET') return void send(200, { status: 'completed' });
  try {
    const runRequest: RunRequest = JSON.parse(await text(request));
    for await (const event of await openai.responses.create(toResponseParams(runRequest))) {
      if ('response' in event)
        return void send(201, { id: event.response.id, status: event.response.status });
    }
  } catch (error) {
    console.error(error);
    send(500, {});
  }
  function send(status: number, body: object) {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  }
});
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
});
