import { Agent, request } from 'node:https'
import { LIMITS } from './scale'

export interface Question {
  readonly port: number
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly form?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Readonly<Record<string, unknown>>
}

/** Asks over HTTPS; answers `undefined` where no whole answer came. */
export interface Client {
  ask(question: Question): Promise<Answer | undefined>
  close(): void
}

export function httpsClient(ca: string): Client {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 1_000, ca })
  return {
    ask: (question) => ask(agent, question),
    close: () => agent.destroy(),
  }
}

function ask(agent: Agent, { port, method, path, headers, form }: Question): Promise<Answer | undefined> {
  const body = form === undefined ? '' : new URLSearchParams(form).toString()
  const length = {
    ...(form && { 'Content-Type': 'application/x-www-form-urlencoded' }),
    'Content-Length': String(body.length),
  }
  const timeout = LIMITS.callMilliseconds
  return new Promise((resolve) => {
    const options = {
      agent,
      host: '127.0.0.1',
      port,
      method,
      path,
      timeout,
      headers: { ...length, ...headers },
    }
    const sent = request(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.once('error', () => resolve(undefined))
      response.once('close', () => {
        if (!response.complete) return resolve(undefined)
        const text = Buffer.concat(chunks).toString()
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: objectOf(text) })
      })
    })
    sent.once('timeout', () => sent.destroy())
    sent.once('error', () => resolve(undefined))
    sent.end(body)
  })
}

function objectOf(text: string): Answer['body'] {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? (parsed as Answer['body']) : {}
  } catch {
    return {}
  }
}
