import type { IncomingMessage, ServerResponse } from 'node:http'
import { limitedText } from '../../base/limited-text.js'
import { parseObject } from '../../base/object.js'
import {
  type Endpoint,
  type Exchange,
  jsonAnswer,
  proofIn,
  type Reaction,
  type ReceivedRequest,
} from './exchange.js'
import { GenuineIssuer, type IssuerSettings } from './genuine-issuer.js'
import type { SecretSearch } from './secret-search.js'
import { type Certificate, type LoopbackServer, startServer } from './servers.js'

/** What the issuer does to one request. `undefined` means that it answers as a genuine issuer. */
export type Disturbance = (
  request: ReceivedRequest,
  issuer: DisturbedIssuer,
) => Promise<Reaction | undefined> | Reaction | undefined

/** What a disturbance works with. */
export interface DisturbedIssuer {
  readonly genuine: GenuineIssuer
  /** The origin of a server of somebody else. */
  readonly strangerOrigin: string
}

export interface HostileSettings extends IssuerSettings {
  readonly disturb?: Disturbance | undefined
  readonly certificate?: Certificate | undefined
  /** Learns the keys that the issuer hands out. */
  readonly search: SecretSearch
  /** Is called while the client waits for an answer. */
  readonly onRequest: (request: ReceivedRequest) => Promise<void>
}

const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  '/.well-known/oauth-authorization-server': 'metadata',
  '/oauth/token': 'token',
  '/oauth/bind': 'bind',
}
const LARGEST_BODY_BYTES = 1_048_576
/** A client that sends requests without end must not fill the memory. */
const MOST_EXCHANGES = 10_000

/** A genuine issuer behind a layer that disturbs it, and notes everything that the client sends. */
export class HostileIssuer implements DisturbedIssuer {
  readonly genuine: GenuineIssuer
  readonly origin: string
  readonly strangerOrigin: string
  readonly exchanges: Exchange[] = []
  /** The requests that the server of somebody else got. */
  strangerRequests = 0
  readonly #settings: HostileSettings
  readonly #servers: readonly { close(): Promise<void> }[]

  private constructor(
    settings: HostileSettings,
    { own, stranger, genuine }: { own: LoopbackServer; stranger: LoopbackServer; genuine: GenuineIssuer },
  ) {
    this.#settings = settings
    this.genuine = genuine
    this.origin = own.origin
    this.strangerOrigin = stranger.origin
    this.#servers = [own, stranger, genuine]
    own.serve((req, res) => {
      this.#serve(req, res).catch(() => res.destroy())
    })
    stranger.serve((req, res) => {
      this.strangerRequests += 1
      req.resume()
      res.setHeader('Content-Type', 'application/json').end('{}')
    })
  }

  static async start(settings: HostileSettings): Promise<HostileIssuer> {
    const own = await startServer(settings.certificate)
    const stranger = await startServer()
    const genuine = await GenuineIssuer.start(own.origin, settings)
    return new HostileIssuer(settings, { own, stranger, genuine })
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()))
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const exchange = this.#note(req, await limitedText('the body', req, LARGEST_BODY_BYTES))
    const { request } = exchange
    await this.#settings.onRequest(request)
    const reaction = await this.#reactTo(request)
    if (reaction === 'silent') return
    exchange.answeredAt = performance.now()
    if (reaction === 'lost') {
      req.socket.destroy()
      return
    }
    const { status, headers, body } = reaction
    const token = parseObject(body)?.['access_token']
    if (typeof token === 'string') this.#settings.search.add('the provisioning key', token)
    exchange.status = status
    const own = { 'Content-Length': Buffer.byteLength(body), Date: new Date(this.genuine.now).toUTCString() }
    res.writeHead(status, { ...headers, ...own }).end(body)
  }

  async #reactTo(request: ReceivedRequest): Promise<Reaction> {
    const reaction = await this.#settings.disturb?.(request, this)
    return reaction ?? (await this.genuine.answer(request))
  }

  #note({ method = '', url = '', headers }: IncomingMessage, body: string): Exchange {
    const endpoint = ENDPOINTS[url.replace(/\?.*/s, '')] ?? 'other'
    const number = 1 + this.exchanges.filter(({ request }) => request.endpoint === endpoint).length
    const proof = proofIn(headers, body)
    const receivedAt = performance.now()
    const request = { endpoint, number, method, url, headers, body, receivedAt, ...(proof && { proof }) }
    const exchange: Exchange = { request }
    if (this.exchanges.length < MOST_EXCHANGES) this.exchanges.push(exchange)
    return exchange
  }
}

/** An error that any issuer can have for a while. */
export function busy(status: number, headers: Readonly<Record<string, string>> = {}): Reaction {
  const error = status === 429 ? 'slow_down' : 'temporarily_unavailable'
  return jsonAnswer(status, { error, error_description: 'The issuer is busy. Try again later.' }, headers)
}
