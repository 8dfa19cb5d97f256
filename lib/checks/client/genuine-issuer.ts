import { type IncomingHttpHeaders, type IncomingMessage, request as sendRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { parseObject } from '../../base/object.js'
import { basicAuth } from '../../base/secret.js'
import { dpopProof } from '../../client/assertions.js'
import { claimsOf } from '../../client/provisioning-key.js'
import { newPrivateKey, signerOf } from '../../client/signer.js'
import type { ProvisioningEvent, ProvisioningKeys, ProvisioningOptions } from '../../index.js'
import type { Answer, ReceivedRequest } from './exchange.js'
import { type LoopbackServer, startServer } from './servers.js'

// The command line starts faster without the server, which only this command needs.
const loadLibrary = () => import('../../index.js')
const loadExpress = () => import('express')
type Library = Awaited<ReturnType<typeof loadLibrary>>
type Express = Awaited<ReturnType<typeof loadExpress>>['default']

/** The API of another company: keys for it are of no use here. */
const OTHER_API = 'https://api.other.example'
const SCOPES = ['provision:bind', 'provision:token', 'telemetry:write']

/** The client that asks for keys, and the device that it asks for. */
export const NAMES = { clientId: 'fleet', subject: 'device:7', scope: 'provision:bind' } as const

/** What a genuine issuer does in a scenario. */
export interface IssuerSettings {
  readonly clientSecret: string
  /** Every DPoP proof needs a nonce. */
  readonly needsNonce?: boolean
  /** By how much the clock of the issuer differs from that of this machine. */
  readonly clockOffsetSeconds?: number
}

/** A key that the client gets from its operator. */
export type GivenKey = 'good' | 'expired' | 'spent' | 'for another API'

type PlainRequest = Pick<ReceivedRequest, 'method' | 'url' | 'headers' | 'body'>

interface Setup {
  readonly library: Library
  readonly express: Express
  readonly settings: IssuerSettings
  readonly options: ProvisioningOptions
}

/** This library, behind a port that only this process knows. */
export class GenuineIssuer {
  readonly #events: ProvisioningEvent[] = []
  readonly #origin: string
  readonly #server: LoopbackServer
  readonly #setup: Setup
  readonly #keys: ProvisioningKeys
  #offsetMs: number

  private constructor(server: LoopbackServer, origin: string, setup: Setup) {
    const { library, express, settings, options } = setup
    this.#origin = origin
    this.#server = server
    this.#setup = setup
    this.#offsetMs = (settings.clockOffsetSeconds ?? 0) * 1000
    this.#keys = library.provisioningKeys({
      ...options,
      now: () => this.now,
      observer: (event) => this.#events.push(event),
    })
    const app = express()
    // TLS ends at the hostile layer.
    app.set('trust proxy', 'loopback')
    app.use(this.#keys.router())
    server.serve(app)
  }

  /** @param origin the origin that clients see */
  static async start(origin: string, settings: IssuerSettings): Promise<GenuineIssuer> {
    const [library, { default: express }] = await Promise.all([loadLibrary(), loadExpress()])
    const options = optionsFor(library, origin, settings)
    return new GenuineIssuer(await startServer(), origin, { library, express, settings, options })
  }

  /** The time of the issuer, in milliseconds since the epoch. */
  get now(): number {
    return Date.now() + this.#offsetMs
  }

  /** How often a key pair was bound. */
  get bindings(): number {
    return this.#events.filter(({ type }) => type === 'client.bound').length
  }

  /** Answers a request as the library does. */
  async answer({ method, url, headers, body }: PlainRequest): Promise<Answer> {
    const isHttps = this.#origin.startsWith('https:')
    const own = {
      ...without(headers),
      'content-length': String(Buffer.byteLength(body)),
      ...(isHttps && { 'x-forwarded-proto': 'https' }),
    }
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const target = { port: this.#server.port, host: '127.0.0.1', method, path: url, headers: own }
      sendRequest(target, resolve).on('error', reject).end(body)
    })
    const { statusCode: status = 500 } = response
    return { status, headers: without(response.headers), body: await text(response) }
  }

  /** Answers a request as if the key in it had expired. */
  async answerLate(request: ReceivedRequest): Promise<Answer> {
    return this.#inHours(1, () => this.answer(request))
  }

  /** Revokes the key in a request, and answers. */
  async answerAfterRevocation(request: ReceivedRequest): Promise<Answer> {
    const token = request.headers.authorization?.split(' ')[1] ?? ''
    const keyId = claimsOf(token)?.['jti']
    if (typeof keyId === 'string') await this.#keys.revokeKey({ keyId, clientId: NAMES.clientId })
    return this.answer(request)
  }

  /** A key that is not bound to a DPoP key, for the device. */
  async newKey(kind: GivenKey): Promise<string> {
    if (kind === 'for another API') return this.#issueForOtherApi()
    const key = await this.#inHours(kind === 'expired' ? -1 : 0, () => this.#issue())
    if (kind === 'spent') await this.#redeem(key)
    return key
  }

  /** Only an issuer with this audience issues such a key. It shares the signing key and the store. */
  async #issueForOtherApi(): Promise<string> {
    const options = { ...this.#setup.options, audience: OTHER_API }
    const other = new GenuineIssuer(await startServer(), this.#origin, { ...this.#setup, options })
    try {
      return await other.#issue()
    } finally {
      await other.close()
    }
  }

  async #issue(): Promise<string> {
    const { clientId, subject, scope } = NAMES
    const form = new URLSearchParams({ grant_type: 'client_credentials', requested_subject: subject, scope })
    const authorization = basicAuth(clientId, this.#setup.settings.clientSecret)
    const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' }
    const { body } = await this.answer({ method: 'POST', url: '/oauth/token', headers, body: String(form) })
    return String(parseObject(body)?.['access_token'])
  }

  /** Somebody else redeems a key. */
  async #redeem(token: string): Promise<void> {
    const now = Math.floor(this.now / 1000)
    const proven = { method: 'POST', url: `${this.#origin}/oauth/bind`, now, token }
    const dpop = await dpopProof(await signerOf(await newPrivateKey()), proven)
    await this.answer({
      method: 'POST',
      url: '/oauth/bind',
      headers: { authorization: `Bearer ${token}`, dpop },
      body: '',
    })
  }

  async #inHours<T>(hours: number, work: () => Promise<T>): Promise<T> {
    const before = this.#offsetMs
    this.#offsetMs += hours * 3_600_000
    try {
      return await work()
    } finally {
      this.#offsetMs = before
    }
  }

  close(): Promise<void> {
    return this.#server.close()
  }
}

function optionsFor(
  { generateSigningKeys, memoryStore }: Library,
  origin: string,
  { clientSecret, needsNonce = false }: IssuerSettings,
): ProvisioningOptions {
  const policy = { scopes: SCOPES, subjects: ['device:*'] }
  return {
    issuer: origin,
    audience: origin,
    signingKeys: generateSigningKeys('ES256'),
    store: memoryStore(),
    clients: [{ clientId: NAMES.clientId, clientSecret, policy }],
    rateLimit: false,
    monitoring: false,
    ...(needsNonce && { dpop: { nonceSecret: `nonces of ${clientSecret}`, nonceLifetimeSeconds: 3600 } }),
  }
}

/** The headers that are not about one connection (RFC 9110 7.6.1). The hostile layer sets the date. */
function without(headers: IncomingHttpHeaders): Record<string, string | readonly string[]> {
  const own = ['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'date', 'expect']
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || own.includes(name) ? [] : [[name, value]],
    ),
  )
}
