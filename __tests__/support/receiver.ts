import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { ProvisioningEvent } from '../../lib/index.js'
import type { DeadLetter } from '../../lib/notifications/notifications.js'
import { makeAuthority } from './certificates.js'
import { closeServer } from './server.js'

/** A request that a receiver got. */
export interface Received {
  readonly headers: Record<string, string>
  readonly body: string
  /** When it was complete, in milliseconds. */
  readonly at: number
}

/** Answers one request. `attempt` counts all requests from 1. */
export type Answering = (res: ServerResponse, attempt: number, req: IncomingMessage) => unknown

/** A real HTTPS server that gets notifications. */
export interface Receiver {
  readonly url: string
  /** The same server by a name that only `resolveHost` knows. */
  readonly namedUrl: string
  readonly cert: string
  readonly received: Received[]
  /** How many connections were made. */
  connections(): number
  close(): Promise<void>
}

let certificate: { key: string; cert: string } | undefined

/** Starts a receiver. By default it answers 202 to everything. */
export async function startReceiver(
  answer: Answering = (res) => res.writeHead(202).end(),
): Promise<Receiver> {
  certificate ??= makeAuthority('hooks.example.com', {
    names: [
      ['dns', 'localhost'],
      ['dns', 'hooks.example.com'],
      ['ip', Uint8Array.of(127, 0, 0, 1)],
    ],
  })
  const received: Received[] = []
  let attempts = 0
  let connections = 0
  const server = createServer(certificate, async (req, res) => {
    attempts += 1
    const attempt = attempts
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString('utf8')
    received.push({ headers: req.headers as Received['headers'], body, at: performance.now() })
    answer(res, attempt, req)
  })
  server.on('connection', () => {
    connections += 1
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `https://localhost:${port}/hook`,
    namedUrl: `https://hooks.example.com:${port}/hook`,
    cert: certificate.cert,
    received,
    connections: () => connections,
    close: () => closeServer(server),
  }
}

/** Waits until a condition holds. */
export async function until(holds: () => boolean, milliseconds = 5_000): Promise<void> {
  const end = performance.now() + milliseconds
  while (!holds()) {
    if (performance.now() > end) throw new Error('expected something that did not happen in time')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Options for a receiver of this machine, with short waits. */
export function quickDelivery(receiver: Pick<Receiver, 'cert'>) {
  const deadLetters: DeadLetter[] = []
  return {
    deadLetters,
    options: {
      ca: receiver.cert,
      allowPrivateNetworks: true,
      timeoutSeconds: 2,
      retryDelaySeconds: 0.01,
      maxRetryDelaySeconds: 0.05,
      giveUpAfterSeconds: 5,
      onDeadLetter: (letter: DeadLetter) => deadLetters.push(letter),
    },
  }
}

/** An event as the library emits it. */
export function replayEvent(members: object = {}): ProvisioningEvent {
  return Object.freeze({
    type: 'key.replayed',
    code: 'key.replayed:family_revoked',
    severity: 'high',
    at: new Date('2026-11-29T12:00:00.500Z'),
    keyId: 'key-1',
    clientId: 'fleet',
    subject: 'device:7',
    familyRevoked: true,
    address: '198.51.100.7',
    traceId: '0af7651916cd43dd8448eb211c80319c',
    ...members,
  }) as ProvisioningEvent
}
