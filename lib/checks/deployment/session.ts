import { setTimeout as sleep } from 'node:timers/promises'
import { Redaction } from '../../base/redaction.js'
import { basicAuth } from '../../base/secret.js'
import { makeProof, type ProofPair, type ProofPlan } from '../../testing/forged-token.js'
import { CheckEnd, type Finding, failed, PASSED, skipped, warning } from '../check.js'
import {
  curlOf,
  describeAnswer,
  type Exchange,
  explainSecrets,
  type Outgoing,
  type SecretName,
} from './exchange.js'
import { send } from './send.js'

/** What the operator says about the deployment and the test client. */
export interface DeploymentSettings {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** The scopes of the keys. Default: those of the client, or all that the metadata name. */
  readonly scope?: string | undefined
  /** The identity that keys are for. Default: the client itself. */
  readonly subject?: string | undefined
  /** The audience of the keys. Default: that of the deployment. */
  readonly audience?: string | undefined
  /** Another audience that the client may have, which `protectedUrl` does not accept. */
  readonly otherAudience?: string | undefined
  /** A route that accepts keys with `GET`, without redeeming them. */
  readonly protectedUrl?: string | undefined
  /** A route that redeems a key with `POST`. */
  readonly redeemUrl?: string | undefined
  /** The body of that request, as JSON. Default: `{}`. */
  readonly redeemBody?: string | undefined
  /** What the names of test devices begin with. Default: no device is enrolled. */
  readonly devicePrefix?: string | undefined
  /** The port for plain HTTP. Default: 80 if the issuer has the port 443. */
  readonly cleartextPort?: number | undefined
  /** How long the checks may wait for expiry and rate limits, in seconds. */
  readonly waitSeconds: number
  /** Reads the trusted authorities, as PEM. Default: those of Node. */
  readonly trusted?: ((signal: AbortSignal) => Promise<readonly string[]>) | undefined
  /** How long a request may take. Default: 10 seconds. */
  readonly timeoutMilliseconds?: number | undefined
}

/** Text that looks like a JWT. */
const JWT = /eyJ[\w-]{8,}\.[\w-]*(\.[\w-]*)?/g

const USUAL_PAUSE_SECONDS = 60

/** The requests of one run, and what their answers have in common. */
export class DeploymentSession {
  readonly settings: DeploymentSettings
  /** All answers so far, for the checks that search them. */
  readonly exchanges: Exchange[] = []
  /** Tokens and secrets, and what replaces them. */
  readonly #secrets = new Redaction()
  #waitLeft: number
  #nonce: string | undefined
  #clockOffset = 0
  #trusted: readonly string[] | undefined

  constructor(settings: DeploymentSettings) {
    this.settings = settings
    this.#waitLeft = settings.waitSeconds
    const { clientId, clientSecret } = settings
    this.hide(clientSecret, '$CLIENT_SECRET')
    this.hide(basicAuth(clientId, clientSecret).slice('Basic '.length), '$BASIC')
  }

  /** The NumericDate of now, by the clock of the deployment. */
  get nowSeconds(): number {
    return Math.floor(Date.now() / 1000 + this.#clockOffset)
  }

  /** Whether the issuer is a local one, without TLS. */
  get isLocal(): boolean {
    return this.settings.issuer.startsWith('http:')
  }

  /** The URL of the metadata. The path of the issuer follows the well-known path (RFC 8414 3.1). */
  get metadataUrl(): string {
    const { origin, pathname } = new URL(this.settings.issuer)
    return `${origin}/.well-known/oauth-authorization-server${pathname.replace(/\/$/, '')}`
  }

  /** Asks for the metadata. */
  getMetadata(signal: AbortSignal, headers: Outgoing['headers'] = {}): Promise<Exchange> {
    return this.send({ method: 'GET', url: this.metadataUrl, headers }, signal)
  }

  /** Never shows this text. */
  hide(text: string, replacement: SecretName): void {
    if (text.length > 3) this.#secrets.hide(text, replacement)
  }

  /** Replaces secrets in a text by names such as `$KEY`. */
  readonly redact = (text: string): string =>
    this.#secrets
      .redact(text)
      .replace(/^(DPoP: )eyJ.*/, '$1$PROOF')
      .replace(JWT, '$KEY')

  /** The secrets that no answer may repeat, in all spellings. Keys are only in the answer that issues them. */
  get secrets(): readonly string[] {
    return this.#secrets.spellings
  }

  /**
   * Sends a request. If the deployment limits requests, waits as long as the settings allow.
   *
   * @throws CheckEnd if the limit lasts longer; Error if no answer arrives in time
   */
  async send(outgoing: Outgoing, signal: AbortSignal): Promise<Exchange> {
    const exchange = await this.sendOnce(outgoing, signal)
    if (exchange.status !== 429) return exchange
    const seconds = this.#pauseOf(exchange)
    if (!this.mayPause(seconds))
      throw new CheckEnd(
        skipped(`the rate limit of the deployment wants a pause of ${seconds} seconds; allow it with --wait`),
      )
    await this.pause(seconds, signal)
    return this.send(outgoing, signal)
  }

  /** The pause that an answer asks for, in seconds or until a date (RFC 9110 10.2.3): at least 1, so that retries end. */
  #pauseOf({ headers }: Exchange): number {
    const text = headers.get('Retry-After') ?? ''
    const seconds = /^\d+$/.test(text) ? Number(text) : Date.parse(text) / 1000 - this.nowSeconds
    return Number.isNaN(seconds) ? USUAL_PAUSE_SECONDS : Math.max(1, Math.ceil(seconds))
  }

  /** Sends a request, and also returns an answer about a rate limit. */
  async sendOnce(outgoing: Outgoing, signal: AbortSignal): Promise<Exchange> {
    const { timeoutMilliseconds } = this.settings
    const ca = await this.trusted(signal)
    const exchange = await send(outgoing, { signal, ca, timeoutMilliseconds })
    this.exchanges.push(exchange)
    this.#nonce = exchange.headers.get('DPoP-Nonce') ?? this.#nonce
    const date = Date.parse(exchange.headers.get('Date') ?? '')
    if (!Number.isNaN(date)) this.#clockOffset = clockOffset(date)
    return exchange
  }

  /** The trusted authorities, as PEM. @throws ProvisionError if the server has another one */
  async trusted(signal: AbortSignal): Promise<readonly string[] | undefined> {
    this.#trusted ??= await this.settings.trusted?.(signal)
    return this.#trusted
  }

  /** Waits, and counts this against `waitSeconds`. */
  async pause(seconds: number, signal: AbortSignal): Promise<void> {
    this.#waitLeft -= seconds
    await sleep(seconds * 1000, undefined, { signal })
  }

  /** Whether the checks may still wait for so long. */
  mayPause(seconds: number): boolean {
    return seconds <= this.#waitLeft
  }

  /** Makes a DPoP proof for a request, with the last nonce of the deployment. */
  proof(pair: ProofPair, plan: Omit<ProofPlan, 'now' | 'nonce'>): string {
    return makeProof(pair, { now: this.nowSeconds, nonce: this.#nonce, ...plan })
  }

  /** The finding about an answer: if it is not right, with the answer and the request. */
  expect(exchange: Exchange, isRight: boolean, expected: string, actual?: string): Finding {
    return isRight ? PASSED : this.failed(exchange, expected, actual)
  }

  failed(exchange: Exchange, expected: string, actual?: string): Finding {
    return failed(this.#facts(exchange, expected, actual))
  }

  warning(exchange: Exchange, expected: string, actual?: string): Finding {
    return warning(this.#facts(exchange, expected, actual))
  }

  #facts(exchange: Exchange, expected: string, found = describeAnswer(exchange, this.redact)) {
    const fix = isTakenForCleartext(exchange) && { fix: TRUST_PROXY }
    const request = curlOf(exchange.request, this.redact)
    const actual = this.redact(found)
    const secrets = explainSecrets(`${actual} ${request}`)
    return { actual, expected, request, ...(secrets !== undefined && { secrets }), ...fix }
  }
}

const TRUST_PROXY =
  "Tell Express which proxy it may trust, such as app.set('trust proxy', 'loopback'), and let the proxy set X-Forwarded-Proto."

/** Whether the deployment believes that a request over HTTPS came over plain HTTP. */
function isTakenForCleartext({ request, status, text }: Exchange): boolean {
  return status === 403 && text.includes('HTTPS is required') && request.url.startsWith('https:')
}

/** Below this, the network and whole seconds explain the difference. */
const UNREMARKABLE_SECONDS = 3

function clockOffset(dateMilliseconds: number): number {
  const offset = (dateMilliseconds - Date.now()) / 1000
  return Math.abs(offset) <= UNREMARKABLE_SECONDS ? 0 : offset
}
