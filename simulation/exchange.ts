import { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Express } from 'express'

/** One HTTP request as it arrives at the server. */
export interface HttpRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** The address of the connection. */
  readonly address: string
  /** Whether the connection uses no TLS. */
  readonly isCleartext?: boolean
}

export interface HttpAnswer {
  readonly status: number
  /** The parsed JSON, or an empty object. */
  readonly body: Readonly<Record<string, unknown>>
}

/** A connection in memory: it keeps what the server writes. */
class Connection extends Duplex {
  readonly remoteAddress: string
  readonly encrypted: boolean
  readonly #written: Buffer[] = []

  constructor({ address, isCleartext = false }: HttpRequest) {
    super()
    this.remoteAddress = address
    this.encrypted = !isCleartext
  }

  get text(): string {
    return Buffer.concat(this.#written).toString()
  }

  setTimeout(): this {
    return this
  }

  override _read(): void {
    // The request is already in the IncomingMessage.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#written.push(chunk)
    done()
  }
}

/** Sends a request to a real Express app. There is no network, because a simulated week has 50,000 requests. */
export function exchange(app: Express, request: HttpRequest): Promise<HttpAnswer> {
  const connection = new Connection(request)
  const req = incoming(connection, request)
  const res = new ServerResponse(req)
  res.assignSocket(connection as unknown as Socket)
  return new Promise((resolve) => {
    res.once('finish', () => {
      resolve({ status: res.statusCode, body: parsed(connection.text) })
    })
    app(req as never, res as never)
  })
}

function incoming(
  connection: Connection,
  { method, path, headers, body = '' }: HttpRequest,
): IncomingMessage {
  const req = new IncomingMessage(connection as unknown as Socket)
  const all = { host: 'auth.example.com', 'content-length': `${Buffer.byteLength(body)}`, ...headers }
  Object.assign(req, { method, url: path, httpVersion: '1.1', httpVersionMajor: 1, httpVersionMinor: 1 })
  for (const [name, value] of Object.entries(all)) {
    req.headers[name.toLowerCase()] = value
    req.rawHeaders.push(name, value)
  }
  if (body !== '') req.push(body)
  req.push(null)
  req.complete = true
  return req
}

function parsed(text: string): HttpAnswer['body'] {
  const body = text.slice(text.indexOf('\r\n\r\n') + 4)
  if (!body.startsWith('{')) return {}
  return JSON.parse(body)
}
