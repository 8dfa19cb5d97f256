import { generateKeyPairSync } from 'node:crypto'
import express from 'express'
import { isObject, isTexts } from '../base/object.js'
import { object, parse, type Reader, required, rule } from '../base/schema.js'
import { randomSecret } from '../base/secret.js'
import type { ProvisioningKeys, ProvisioningOptions, VerifierOptions } from '../index.js'
import { type TestClock, testClock } from './clock.js'
import { overHttps, send, type TestApp } from './over-https.js'

/**
 * Options of `testIssuer()`.
 *
 * @example
 * const options: TestIssuerOptions = { scopes: ['devices:create'] }
 */
export interface TestIssuerOptions {
  /**
   * The scopes of your routes. The client of the issuer may have them, and also those of provisioning (`provision:token`).
   * @example ['devices:create', 'devices:read']
   */
  readonly scopes: readonly string[]
  /**
   * The audience or audiences of your API. Default `https://api.test`.
   * @example 'https://api.example.com'
   */
  readonly audience?: string | readonly string[]
  /**
   * The subjects that the client may ask keys for. Default `['device:*']`.
   * @example ['runner:*', 'gateway-1']
   */
  readonly subjects?: readonly string[]
  /**
   * Further options of `provisioningKeys()`. Default: none.
   * @example { clockToleranceSeconds: 0 }
   */
  readonly options?: Partial<ProvisioningOptions>
}

/**
 * An issuer for the tests of an API that gets its keys from another process. It needs no port. It is also the options of
 * `testKit()`.
 *
 * @example
 * function kitOf(issuer: TestIssuer): TestKit {
 *   return testKit(issuer)
 * }
 */
export interface TestIssuer {
  readonly keys: ProvisioningKeys
  /** The app that serves the endpoints. */
  readonly app: TestApp
  readonly client: { readonly clientId: string; readonly clientSecret: string }
  readonly clock: TestClock
  readonly issuer: string
  /** The options of the API under test. Its requests to the issuer go to `app`, and not into the network. */
  readonly verifierOptions: VerifierOptions
}

const ISSUER = 'https://issuer.test'

const someTexts: Reader<readonly string[]> = rule('a list of texts', isTexts)

const readOptions = object<TestIssuerOptions>({
  scopes: required(someTexts),
  audience: rule('an audience, or a list of audiences', (value) => isTexts([value].flat())),
  subjects: someTexts,
  options: rule('an object with options of provisioningKeys()', isObject),
})

/**
 * Makes an issuer in the process of the test.
 *
 * @param make `provisioningKeys` of this package
 * @throws ConfigurationError with all faults of the options
 *
 * @example
 * const issuer = testIssuer(provisioningKeys, { scopes: ['devices:read'] })
 * const verifier = provisioningKeyVerifier(issuer.verifierOptions)
 * app.get('/devices', verifier.requireProvisioningKey({ scope: 'devices:read' }), (req, res) => res.json([]))
 *
 * const { testKey } = testKit(issuer)
 */
export function testIssuer(
  make: (options: ProvisioningOptions) => ProvisioningKeys,
  given: TestIssuerOptions,
): TestIssuer {
  const { scopes, audience = 'https://api.test', subjects = ['device:*'], options } = read(given)
  const clock = testClock()
  const client = { clientId: 'test-client', clientSecret: randomSecret() }
  const api = { clientId: 'test-api', clientSecret: randomSecret() }
  const audiences = [audience].flat()
  const all = [...new Set([...scopes, 'provision:token', 'provision:bind', 'provision:register'])]
  const policy = { scopes: all, defaultScopes: scopes, subjects }
  const introspecting = { scopes: [], introspectAudiences: audiences }
  const keys = make({
    issuer: ISSUER,
    audience: audiences,
    signingKeys: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
    clients: [
      { ...client, policy },
      { ...api, policy: introspecting },
    ],
    policy: { scopes: all },
    rateLimit: false,
    monitoring: false,
    now: clock.now,
    ...options,
  })
  const app = express()
  app.use(keys.router())
  const issuer = options?.issuer ?? ISSUER
  const verifierOptions = {
    issuer,
    audience: audiences,
    jwks: `${new URL(issuer).origin}/oauth/jwks`,
    introspection: api,
    fetch: fetchFrom(app),
    now: clock.now,
  }
  return Object.freeze({ keys, app, client, clock, issuer, verifierOptions })
}

function read(given: TestIssuerOptions): TestIssuerOptions {
  return parse(readOptions, given, 'testIssuer')
}

/** A `fetch` that asks an app in this process. */
function fetchFrom(app: TestApp): typeof fetch {
  return async (input, init) => {
    const asked = new Request(input, init)
    const { pathname, search } = new URL(asked.url)
    const { status, headers, text } = await send(overHttps(app), {
      method: asked.method,
      path: pathname + search,
      headers: Object.fromEntries(asked.headers),
      body: await asked.text(),
    })
    const given = Object.entries(headers).flatMap(([name, value]) =>
      [value ?? []].flat().map((one) => [name, one]),
    )
    return new Response(text, { status, headers: given as [string, string][] })
  }
}
