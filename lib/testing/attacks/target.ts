import { AssertionError } from 'node:assert'
import { isObject } from '../../base/object.js'
import { flag, object, oneOf, parse, required, rule, text } from '../../base/schema.js'
import { absoluteUrl, type TestDpopKey } from '../dpop-key.js'
import { refusalIn, type TestIssuance } from '../issuance.js'
import { inCleartext, overHttps, send, type TestAnswer, type TestApp } from '../over-https.js'
import { readScope, type TestKeyOptions } from '../token-source.js'

/**
 * A route that attacks try, and how a client calls it with success.
 *
 * @example
 * const route: AttackedRoute = { method: 'POST', path: '/devices', scope: 'devices:create', body: { name: 'lamp' } }
 */
export interface AttackedRoute {
  /** The method of the requests, such as `POST`. */
  readonly method: string
  /** The path, with its query if it needs one. */
  readonly path: string
  /** The scopes that the route demands. */
  readonly scope: string | readonly string[]
  /** Further headers of a request. */
  readonly headers?: Readonly<Record<string, string>>
  /** The body of a request: an object becomes JSON. A function makes a new body for each request. */
  readonly body?: string | Uint8Array | object | (() => string | Uint8Array | object)
  /** What the route accepts. Default `'provisioning key'`. */
  readonly credential?: 'provisioning key' | 'access token'
  /** Whether the route redeems keys. If not, `all()` leaves out `replay` and `race`. Default: it does, if it accepts keys. */
  readonly redeems?: boolean
  /** Whether the client may only ask for keys that are bound with DPoP. Default false. */
  readonly dpop?: boolean
  /** The subject of the keys. Default: the client itself. */
  readonly subject?: string
  /** The audience of the route. Default: the default audience of the app. */
  readonly audience?: string
  /** A scope that the client may have, and that the route does not accept. Default: one from the metadata of the app. */
  readonly otherScope?: string
  /** Another audience that the client may ask for. Default: none, so `all()` leaves out `wrongAudience`. */
  readonly otherAudience?: string
}

const readRoute = object<AttackedRoute>({
  method: required(text('a method, such as POST', /^[A-Za-z]+$/)),
  path: required(text('a path, such as /devices', /^\//)),
  scope: required(readScope),
  headers: rule('an object with headers', isObject),
  body: rule('a body', () => true),
  credential: oneOf(['provisioning key', 'access token']),
  redeems: flag,
  dpop: flag,
  subject: text('a subject'),
  audience: text('an audience'),
  otherScope: text('a scope'),
  otherAudience: text('an audience'),
})

/** @throws ConfigurationError with all faults of the route */
export function readAttackedRoute(route: AttackedRoute): AttackedRoute {
  return parse(readRoute, route, 'route')
}

/** What attacks need of a kit. */
export interface AttackingKit {
  testKey(options: TestKeyOptions): Promise<string>
  testAccessToken(options: TestKeyOptions): Promise<string>
  dpopKey(): Promise<TestDpopKey>
  /** The message about keys, tokens and secrets in captured values, if there are any. */
  readonly exposure: (captured: unknown) => string | undefined
  readonly issuance: TestIssuance
  /** Whether a test can move the clock of the app. */
  readonly isMovable: boolean
}

/** A key or an access token, and the DPoP key that it is bound to. */
export interface Credential {
  readonly token: string
  readonly dpop: TestDpopKey | undefined
}

/** The parts of a request that an attack changes. */
export interface Deviation {
  readonly headers?: Readonly<Record<string, string>>
  /** Appended to the query. */
  readonly query?: string
  /** In place of the body of the route. */
  readonly body?: string
  /** Whether the app gets plain HTTP. Default false. */
  readonly isCleartext?: boolean
}

/** A route under attack. */
export class Target {
  readonly kit: AttackingKit
  readonly route: AttackedRoute
  readonly name: string
  readonly #app: TestApp
  #nonce: string | undefined
  #url: string | undefined
  #successStatus: number | undefined

  constructor(kit: AttackingKit, name: string, { app, route }: { app: TestApp; route: AttackedRoute }) {
    this.kit = kit
    this.route = route
    this.name = name
    this.#app = inCleartext(app)
  }

  get isForKeys(): boolean {
    return this.route.credential !== 'access token'
  }

  /** A new key or access token that the route must accept, except for `terms` and its kind. */
  async credential(terms: TestKeyOptions = {}, isKey = this.isForKeys): Promise<Credential> {
    const { scope, subject, audience, dpop: isBound } = this.route
    const dpop = terms.dpop ?? (isBound === true ? await this.kit.dpopKey() : undefined)
    const given = {
      scope,
      ...(subject !== undefined && { subject }),
      ...(audience !== undefined && { resource: audience }),
      ...terms,
      ...(dpop !== undefined && { dpop }),
    }
    const token = await (isKey ? this.kit.testKey(given) : this.kit.testAccessToken(given))
    return { token, dpop }
  }

  /**
   * The headers of a request that is right, except for its token. The URL of a proof is that of the first token, which is an
   * honest one. Other tokens can have another audience, or none.
   */
  async headersFor({ token, dpop }: Credential): Promise<Record<string, string>> {
    if (dpop === undefined) return { Authorization: `Bearer ${token}` }
    const { method, path } = this.route
    this.#url ??= absoluteUrl(path, token)
    return dpop.headers({ method, url: this.#url, token, nonce: this.#nonce })
  }

  async send({ headers, query, body, isCleartext = false }: Deviation): Promise<TestAnswer> {
    const { method, path, headers: ofRoute } = this.route
    const own = body === undefined ? this.#body() : { body, headers: {} }
    const answer = await send(isCleartext ? this.#app : overHttps(this.#app), {
      method,
      path: query === undefined ? path : `${path}${path.includes('?') ? '&' : '?'}${query}`,
      headers: { ...own.headers, ...ofRoute, ...headers },
      body: own.body,
    })
    const nonce = answer.headers['dpop-nonce']
    if (typeof nonce === 'string') this.#nonce = nonce
    return answer
  }

  /** Sends an honest request. If the app refuses it, its refusal of an attack would prove nothing. */
  async requireSuccess(credential?: Credential): Promise<void> {
    const used = credential ?? (await this.credential())
    const first = await this.send({ headers: await this.headersFor(used) })
    const isNonceWanted = first.status === 401 && used.dpop !== undefined && this.#nonce !== undefined
    const answer = isNonceWanted ? await this.send({ headers: await this.headersFor(used) }) : first
    const { status } = answer
    this.#successStatus = status
    if (status < 400) return
    const noun = this.isForKeys ? 'a new key' : 'a new access token'
    const advice = 'Check the path, the scope, the headers and the body of the route.'
    const refusal = this.kit.exposure(answer.text) === undefined ? refusalIn(answer) : status
    this.fail(
      `answered ${refusal} to an honest request with ${noun}, so an attack would prove nothing. ${advice}`,
    )
  }

  /** Whether the app has done what an honest client asks for. A redirect, such as to a login page, is none. */
  isSuccess({ status }: TestAnswer): boolean {
    return status < 300 || status === this.#successStatus
  }

  /**
   * Checks that the app refused an attack, and that its answer does not repeat the credential.
   *
   * @param accepted what the app has accepted, and how to correct it
   */
  requireRefusal(answer: TestAnswer, accepted: string): void {
    const { status, headers, text } = answer
    if (this.isSuccess(answer)) this.fail(`answered ${status}, so it accepted ${accepted}.`)
    if (status === 429)
      this.fail('answered 429 (too many requests). Set rateLimit: false in the options of your tests')
    if (status >= 500) this.fail(`answered ${status} to an attack. A refusal has a status from 400 to 499`)
    const exposure = this.kit.exposure({ headers, text })
    if (exposure !== undefined) this.fail(`repeats the credential in its refusal. ${exposure}`)
  }

  /** @throws AssertionError */
  fail(fault: string): never {
    const { method, path } = this.route
    const place = `${method} ${path.replace(/\?.*/s, '')}`
    throw new AssertionError({ message: `attacks.${this.name}: ${place} ${fault}`, stackStartFn: this.fail })
  }

  /** The guard that the route should have. */
  get guard(): string {
    const { scope, redeems = true } = this.route
    const name = !this.isForKeys
      ? 'requireAccessToken'
      : redeems
        ? 'redeemProvisioningKey'
        : 'requireProvisioningKey'
    const scopes = typeof scope === 'string' ? `'${scope}'` : `[${scope.map((one) => `'${one}'`).join(', ')}]`
    return `keys.${name}({ scope: ${scopes} })`
  }

  #body(): { body: string | Uint8Array | undefined; headers: Record<string, string> } {
    const { body } = this.route
    const made = typeof body === 'function' ? (body as () => string | Uint8Array | object)() : body
    if (made === undefined || typeof made === 'string' || ArrayBuffer.isView(made))
      return { body: made as string | Uint8Array | undefined, headers: {} }
    return { body: JSON.stringify(made), headers: { 'Content-Type': 'application/json' } }
  }
}
