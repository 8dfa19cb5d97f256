import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { type Agent, request as requestHttps } from 'node:https'
import { newConnection } from './connections.js'
import type { RunningServer } from './server.js'

/** A request byte for byte. Node adds only `Host` and `Connection`. */
export interface ExactRequest {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: string | Buffer
  /** The port of a cleartext listener; default: HTTPS. */
  readonly cleartextPort?: number
  /** The agent whose connections are used. Default: a new connection. */
  readonly agent?: Agent
}

/** An answer byte for byte. */
export interface ExactAnswer {
  readonly status: number
  readonly statusMessage: string
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly bytes: Buffer
  readonly text: string
}

/** Opens a request on a new connection. The caller writes the body and ends the request. */
export function openRequest(
  server: Pick<RunningServer, 'port' | 'cert'>,
  wanted: ExactRequest,
): ClientRequest {
  const { method = 'POST', path, headers, cleartextPort, agent } = wanted
  const host = 'localhost'
  // Not a URL: it would normalize dots and slashes.
  const common = { host, method, path, ...(headers && { headers: { ...headers } }) }
  if (cleartextPort !== undefined) return requestHttp({ ...common, port: cleartextPort, agent: false })
  const connection = agent === undefined ? newConnection(server.cert) : { agent, ca: server.cert }
  return requestHttps({ ...common, ...connection, port: server.port, servername: host })
}

const LONGEST_MILLISECONDS = 20_000

/** The whole answer to a request. An answer that does not end is an error. */
export function answerTo(sent: ClientRequest): Promise<ExactAnswer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => sent.destroy(new Error('the answer does not end')), LONGEST_MILLISECONDS)
    sent.on('close', () => clearTimeout(timer))
    sent.on('error', reject)
    sent.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const bytes = Buffer.concat(chunks)
        const { statusCode: status = 0, statusMessage = '', headers, rawHeaders } = response
        resolve({ status, statusMessage, headers, rawHeaders, bytes, text: bytes.toString('utf8') })
      })
    })
  })
}

export function exactly(
  server: Pick<RunningServer, 'port' | 'cert'>,
  wanted: ExactRequest,
): Promise<ExactAnswer> {
  const sent = openRequest(server, wanted)
  const answered = answerTo(sent)
  sent.end(wanted.body)
  return answered
}
