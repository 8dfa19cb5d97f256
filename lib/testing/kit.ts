import { describeSecret } from '../base/faults.js'
import { hasMethods, isObject } from '../base/object.js'
import { object, parse, required, rule, text } from '../base/schema.js'
import { type Attacks, attacksOf } from './attacks/attacks.js'
import type { TestClock } from './clock.js'
import { newDpopKey, type TestDpopKey } from './dpop-key.js'
import { expectNoKeyIn, exposureIn } from './exposed-secrets.js'
import { type TestClient, TestIssuance } from './issuance.js'
import { readApp, type TestApp } from './over-https.js'
import type { TestIssuer } from './test-issuer.js'
import { type TestKeyOptions, TokenSource } from './token-source.js'

/**
 * Options of `testKit()`.
 *
 * @example
 * const options: TestKitOptions = { app, client: { clientId: 'fleet', clientSecret: 'the-secret-of-the-tests-1' } }
 */
export interface TestKitOptions {
  /**
   * The app that issues the keys. It mounts `keys.router()`, with the same `keys` as the routes under test.
   * @example app
   */
  readonly app: TestApp
  /**
   * The client that asks for the keys, and its secret or its signer.
   * @example { clientId: 'fleet', clientSecret: 'the-secret-of-the-tests-1' }
   */
  readonly client: TestClient
  /**
   * The clock of the app, for keys that have expired. Default: the clock of the machine, which no test can move.
   * @example testClock()
   */
  readonly clock?: TestClock
  /**
   * The issuer, if it has a path. Default: the issuer in the metadata at the root of the app.
   * @example 'https://auth.example.com/tenant-1'
   */
  readonly issuer?: string
}

/**
 * Keys for the tests of an app, and attacks on its routes.
 *
 * @example
 * async function keyOf(kit: TestKit) {
 *   return kit.testKey({ scope: 'devices:create' })
 * }
 */
export interface TestKit {
  /** Asks the app for a key. Answers with the text of the key. */
  testKey(options?: TestKeyOptions): Promise<string>
  /** Asks the app for a key with `provision:token` too, and exchanges the key for an access token. */
  testAccessToken(options?: TestKeyOptions): Promise<string>
  /** Makes a DPoP key. */
  dpopKey(): Promise<TestDpopKey>
  /**
   * Checks that logs, answers, objects or buffers contain no key, no token, and no secret of this kit.
   *
   * @throws AssertionError with the place of the secret, but not the secret
   */
  expectNoKeyIn(captured: unknown): void
  readonly attacks: Attacks
}

/** The options, among them the further members of a `TestIssuer`. */
type KitOptions = TestKitOptions & Partial<Pick<TestIssuer, 'keys' | 'verifierOptions'>>

const readOptions = object<KitOptions>({
  app: required(readApp),
  client: required(rule('{ clientId, clientSecret } or { clientId, signer }', isClient, describeSecret)),
  clock: rule('testClock(), or an object with now() and advance(seconds)', (clock) =>
    hasMethods(clock, ['now', 'advance']),
  ),
  issuer: text('the URL of the issuer', URL.canParse),
  keys: rule('those of testIssuer()', () => true),
  verifierOptions: rule('those of testIssuer()', () => true),
})

function isClient(value: unknown): boolean {
  if (!isObject(value) || typeof value.clientId !== 'string') return false
  return typeof value.clientSecret === 'string' || isObject(value.signer)
}

/**
 * Makes a test kit for an app. The kit asks the app for keys, as a client does in production, so the keys are genuine.
 *
 * @throws ConfigurationError with all faults of the options
 *
 * @example
 * import { test } from 'node:test'
 * import request from 'supertest'
 *
 * const client = { clientId: 'fleet', clientSecret: 'the-secret-of-the-tests-1' }
 * const { testKey, attacks } = testKit({ app, client })
 *
 * test('creates a device with a key', async () => {
 *   const key = await testKey({ scope: 'devices:create' })
 *   await request(overHttps(app)).post('/devices').set('Authorization', `Bearer ${key}`).expect(201)
 * })
 *
 * test('refuses a key that was used before', async () => {
 *   await attacks.replay(app, { method: 'POST', path: '/devices', scope: 'devices:create' })
 * })
 */
export function testKit(options: TestKitOptions): TestKit {
  const { app, client, clock, issuer } = parse(readOptions, options, 'testKit')
  const { now } = clock ?? { now: () => Date.now() }
  const issuance = new TestIssuance(app, client, { issuer, now })
  const secrets = new Set('clientSecret' in client ? [client.clientSecret] : [])
  const remember = (token: string) => {
    secrets.add(token)
    return token
  }
  const source = new TokenSource(issuance, clock)
  const kit = {
    testKey: async (options: TestKeyOptions = {}) => remember(await source.key(options)),
    testAccessToken: async (options: TestKeyOptions = {}) => remember(await source.accessToken(options)),
    dpopKey: () => newDpopKey({ now }),
    expectNoKeyIn: (captured: unknown) => expectNoKeyIn(captured, { secrets: [...secrets] }),
  }
  const exposure = (captured: unknown) => exposureIn(captured, { secrets: [...secrets] })
  const attacks = attacksOf({ ...kit, exposure, issuance, isMovable: clock !== undefined })
  return Object.freeze({ ...kit, attacks })
}
