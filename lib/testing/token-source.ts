import { EXCHANGE_GRANT, JWT_TOKEN_TYPE } from '../base/oauth-names.js'
import { hasMethods, isTexts } from '../base/object.js'
import { flag, object, parse, type Reader, rule, text } from '../base/schema.js'
import { claimsOf } from '../client/provisioning-key.js'
import type { TestClock } from './clock.js'
import type { TestDpopKey } from './dpop-key.js'
import type { TestIssuance } from './issuance.js'

/**
 * The terms of a key or access token for a test.
 *
 * @example
 * const options: TestKeyOptions = { scope: 'devices:create', expired: true }
 */
export interface TestKeyOptions {
  /**
   * The scopes. Default: the default scopes of the client.
   * @example 'devices:create'
   */
  readonly scope?: string | readonly string[]
  /**
   * The subject (`requested_subject`). Default: the client itself.
   * @example 'device:7'
   */
  readonly subject?: string
  /**
   * The audience (`resource`). Default: the default audience of the app.
   * @example 'https://files.example.com'
   */
  readonly resource?: string
  /**
   * How long it lives, in seconds. Default: the default of the policy.
   * @example 60
   */
  readonly lifetimeSeconds?: number
  /**
   * Whether it has expired already. It needs the option `clock` of the kit. Default false.
   * @example true
   */
  readonly expired?: boolean
  /**
   * Whether it is revoked already. Default false.
   * @example true
   */
  readonly revoked?: boolean
  /**
   * The DPoP key that it is bound to. Default: none, so it is a bearer key.
   * @example await kit.dpopKey()
   */
  readonly dpop?: TestDpopKey
}

export const readScope: Reader<string | readonly string[]> = rule(
  'a scope, or a list of scopes',
  (value) => typeof value === 'string' || isTexts(value),
)

const readOptions = object<TestKeyOptions>({
  scope: readScope,
  subject: text('a subject'),
  resource: text('an audience'),
  lifetimeSeconds: rule('a number of seconds', (value) => typeof value === 'number'),
  expired: flag,
  revoked: flag,
  dpop: rule('a DPoP key of kit.dpopKey()', (value) => hasMethods(value, ['proof'])),
})

/** The longest lifetime and the greatest tolerance of clocks that options allow, and some seconds. */
const SURELY_EXPIRED_SECONDS = 3600 + 60 + 10

/** Makes keys and access tokens with the terms that a test wants. */
export class TokenSource {
  readonly #issuance: TestIssuance
  readonly #clock: TestClock | undefined
  /** Ends when all calls up to now have ended. */
  #all: Promise<unknown> = Promise.resolve()
  /** Ends when the last call that moves the clock has ended. */
  #moving: Promise<unknown> = Promise.resolve()

  constructor(issuance: TestIssuance, clock: TestClock | undefined) {
    this.#issuance = issuance
    this.#clock = clock
  }

  async key(options: TestKeyOptions): Promise<string> {
    return this.#finish(parse(readOptions, options, 'testKey'), async (token) => token)
  }

  async accessToken(given: TestKeyOptions): Promise<string> {
    const { scope, ...options } = parse(readOptions, given, 'testAccessToken')
    const scopes = [...new Set(['provision:token', ...scopesIn(scope)])]
    return this.#finish({ ...options, scope: scopes }, (key) =>
      this.#issuance.token(
        { grant_type: EXCHANGE_GRANT, subject_token: key, subject_token_type: JWT_TOKEN_TYPE },
        options.dpop,
        false,
      ),
    )
  }

  async #finish(options: TestKeyOptions, convert: (key: string) => Promise<string>): Promise<string> {
    const { scope, subject, resource, lifetimeSeconds, expired, revoked, dpop } = options
    const form = {
      grant_type: 'client_credentials',
      scope: scope === undefined ? undefined : scopesIn(scope).join(' '),
      requested_subject: subject,
      resource,
      requested_expiry: lifetimeSeconds === undefined ? undefined : String(lifetimeSeconds),
    }
    const make = async () => convert(await this.#issuance.token(form, dpop))
    const finish = async () => {
      const token = expired === true ? await this.#inThePast(make) : await make()
      if (revoked === true) await this.#issuance.revoke(token)
      return token
    }
    return this.#inTurn(expired === true, finish)
  }

  /** Runs a call that moves the clock alone, and other calls together. All keys of the app depend on the clock. */
  #inTurn<T>(movesClock: boolean, call: () => Promise<T>): Promise<T> {
    const earlier = this.#all
    const result = (movesClock ? earlier : this.#moving).then(call)
    const ended = () => earlier
    this.#all = result.then(ended, ended)
    if (movesClock) this.#moving = this.#all
    return result
  }

  /** Moves the clock back for a moment. Moving it forward would make the other keys of the test expire too. */
  async #inThePast(make: () => Promise<string>): Promise<string> {
    const clock = this.#clock
    if (clock === undefined) throw new Error(CLOCK_WANTED)
    clock.advance(-SURELY_EXPIRED_SECONDS)
    let token: string
    try {
      token = await make()
    } finally {
      clock.advance(SURELY_EXPIRED_SECONDS)
    }
    // If this is not the clock of the app, the key is a good one.
    if (Number(claimsOf(token)?.['exp']) < clock.now() / 1000) return token
    throw new Error(CLOCK_WANTED)
  }
}

const CLOCK_WANTED =
  'A key that has expired needs the clock of the app: const clock = testClock(), then now: clock.now in the options ' +
  'of provisioningKeys(), and clock in those of testKit().'

function scopesIn(scope: string | readonly string[] | undefined): readonly string[] {
  return typeof scope === 'string' ? scope.split(' ') : (scope ?? [])
}
