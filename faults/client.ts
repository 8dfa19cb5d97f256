import { Agent, request } from 'node:https'
import { LIMITS } from './scale'

/** A request to a worker on this machine. */
export interface ClientRequest {
  readonly port: number
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly form?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The members of a JSON object. Empty for other bodies. */
  readonly body: Readonly<Record<string, unknown>>
}

/** The HTTPS client for all workers. */
export interface Client {
  /** Resolves with `undefined` if there was no complete answer. */
  send(request: ClientRequest): Promise<Answer | undefined>
  close(): void
}

/** @param ca the certificate of the workers, as PEM */
export function httpsClient(ca: string): Client {
  // Storms reuse the connections that were opened before them.
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 1_000, ca })
  return {
    send: (request) => send(agent, request),
    close: () => agent.destroy(),
  }
}

function send(
  agent: Agent,
  { port, method, path, headers, form }: ClientRequest,
): Promise<Answer | undefined> {
  const body = form === undefined ? '' : new URLSearchParams(form).toString()
  const bodyHeaders = {
    ...(form && { 'Content-Type': 'application/x-www-form-urlencoded' }),
    'Content-Length': String(body.length),
  }
  return new Promise((resolve) => {
    const options = {
      agent,
      host: '127.0.0.1',
      port,
      method,
      path,
      timeout: LIMITS.callMilliseconds,
      headers: { ...bodyHeaders, ...headers },
    }
    const sent = request(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.once('error', () => resolve(undefined))
      response.once('close', () => {
        if (!response.complete) return resolve(undefined)
        const text = Buffer.concat(chunks).toString()
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: membersOf(text) })
      })
    })
    sent.once('timeout', () => sent.destroy())
    sent.once('error', () => resolve(undefined))
    sent.end(body)
  })
}

function membersOf(text: string): Answer['body'] {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {}
  } catch {
    return {}
  }
}
