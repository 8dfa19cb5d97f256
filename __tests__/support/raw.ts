import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { newConnection } from './connections.js'
import type { Answered } from './refusals/case.js'
import type { RunningServer } from './server.js'

/** A request with exactly these headers, including repeated ones. */
export async function rawRequest(
  server: RunningServer,
  headers: readonly string[],
  path = '/devices',
): Promise<Answered> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(`${server.origin}${path}`, {
      ...newConnection(server.cert),
      headers: ['Host', 'localhost', ...headers],
    })
      .on('response', resolve)
      .on('error', reject)
      .end()
  })
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  const body = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  return { status: response.statusCode ?? 0, body, headers: response.headers as Record<string, string> }
}

/** Sends the beginning of a form to the token endpoint and hangs up. */
export async function abortedRequest(server: RunningServer, beginning: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': 1000 }
    const sent = request(`${server.origin}/oauth/token`, {
      method: 'POST',
      ...newConnection(server.cert),
      headers,
    })
    sent.on('error', () => resolve())
    sent.write(beginning, () => setTimeout(() => sent.destroy(), 50))
    sent.on('close', () => resolve())
  })
}
