import { createSecretKey, generateKeyPairSync } from 'node:crypto'
import { ConfigurationError } from '../../lib/base/errors.js'
import { provisioningKeyVerifier } from '../../lib/index.js'
import { parseVerifierOptions } from '../../lib/options/verifier.js'
import type { VerifierOptions } from '../../lib/options/verifier-options.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const JWK = { ...publicKey.export({ format: 'jwk' }), kid: 'a' }
const SECRET = 'correct-horse-battery-staple'
const working = (): VerifierOptions => ({
  issuer: 'https://auth.example.com',
  audience: 'https://api.example.com',
  jwks: 'https://auth.example.com/oauth/jwks',
  store: memoryStore(),
})

type Overrides = { readonly [N in keyof VerifierOptions]?: unknown } & Readonly<Record<string, unknown>>

function parse(overrides: Overrides = {}) {
  return parseVerifierOptions({ ...working(), ...overrides } as VerifierOptions)
}

function faultsOf(overrides: Overrides): readonly string[] {
  try {
    parse(overrides)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

const asking = (introspection: unknown, rest: Overrides = {}) =>
  faultsOf({ store: undefined, introspection, ...rest })

describe('the options of a verifier', () => {
  it('are complete by default', () => {
    const { deployment, realm, rateLimits } = parse()
    expect(deployment).toMatchObject({
      audiences: ['https://api.example.com'],
      environment: undefined,
      maxLifetimeSeconds: 900,
      maxAccessTokenLifetimeSeconds: 3600,
      clockToleranceSeconds: 5,
      dpop: { proofAgeSeconds: 60, nonces: undefined },
    })
    expect([realm, rateLimits.of('redeem')]).toEqual(['auth.example.com', { windowMs: 60_000, limit: 300 }])
    expect(Object.isFrozen(deployment)).toBe(true)
  })

  it('need a store or introspection, and say why', () => {
    expect(faultsOf({ store: undefined })).toEqual([
      'store: expected either store or introspection, because a key does not show whether it was redeemed or revoked, got neither',
    ])
    const introspection = { clientId: 'api', clientSecret: SECRET }
    expect(faultsOf({ introspection })).toEqual([
      'store: expected either store or introspection, because a key does not show whether it was redeemed or revoked, got both',
    ])
    expect(asking(introspection)).toEqual([])
  })

  it.each([
    'http://auth.example.com/jwks',
    'HTTP://auth.example.com/jwks',
    'https://user:password@auth.example.com/jwks',
    'https://:password@auth.example.com/jwks',
    'https://user@auth.example.com/jwks',
    'https://auth.example.com/jwks#a',
    'file:///etc/jwks.json',
    'data:application/json,{}',
    '/oauth/jwks',
    '',
    7,
    null,
    undefined,
    ['https://auth.example.com/jwks'],
    () => 'https://auth.example.com/jwks',
    new URL('http://auth.example.com/jwks'),
  ])('have a jwks that is fetched over https, not %j', (jwks) => {
    const [fault, ...others] = faultsOf({ jwks })
    expect([fault, others]).toEqual([
      expect.stringMatching(
        /^jwks: expected .*(an https URL without credentials or fragment, or a JWK Set|a JWK Set)/,
      ),
      [],
    ])
    expect(fault).not.toContain('password')
  })

  it.each([
    'https://auth.example.com/jwks',
    'https://auth.example.com:8443/jwks?v=1',
    new URL('https://a.example/'),
  ])('have a jwks such as %s', (jwks) => {
    expect(faultsOf({ jwks })).toEqual([])
  })

  it('have a JWK Set of public keys, at least one of them of use', () => {
    const { deployment } = parse({ jwks: { keys: [JWK, { kty: 'EC' }] } })
    expect([deployment.keyRing.find('a')?.alg, deployment.keyRing.load]).toEqual(['ES256', undefined])
    const refused = (keys: unknown[]) => faultsOf({ jwks: { keys } })
    const got = 'jwks: expected a JWK Set with the public keys of the issuer, got one that is refused: '
    expect(refused([{ ...privateKey.export({ format: 'jwk' }), kid: 'a' }])).toEqual([
      `${got}it holds private or symmetric keys`,
    ])
    expect(refused([])).toEqual([`${got}no key in it has a kid and can verify`])
    expect(refused([{ ...JWK, kid: undefined }])).toEqual([`${got}no key in it has a kid and can verify`])
    expect(faultsOf({ jwks: {} })).toEqual([`${got}it is not a JWK Set`])
    expect(faultsOf({ jwks: { keys: [() => JWK] } })).toEqual([`${got}it is not a JWK Set`])
  })

  it('keep a JWK Set as it was given', () => {
    const keys = [{ ...JWK }]
    const { deployment } = parse({ jwks: { keys } })
    keys.pop()
    expect(deployment.keyRing.find('a')).toBeDefined()
  })

  it('have an introspection with a client, and one way for it to authenticate', () => {
    const path = 'introspection'
    expect(asking({})).toEqual([
      `${path}.clientId: expected 1 to 255 printable ASCII characters, got undefined`,
      `${path}.clientSecret: expected either clientSecret or clientKey, got neither`,
    ])
    expect(asking({ clientId: 'api', clientSecret: SECRET, clientKey: privateKey })).toEqual([
      `${path}.clientSecret: expected either clientSecret or clientKey, got both`,
    ])
    expect(asking({ clientId: 'api', clientKey: privateKey })).toEqual([])
    expect(asking({ clientId: 'api', clientKey: publicKey })).toEqual([
      `${path}.clientKey: expected a private key, got a public key`,
    ])
    expect(asking({ clientId: 'api', clientKey: createSecretKey(Buffer.alloc(32)) })).toEqual([
      `${path}.clientKey: expected a private key, got a secret`,
    ])
    expect(asking({ clientId: 'api', clientKey: 'no PEM' })).toEqual([
      `${path}.clientKey: expected a PEM, a JWK or a KeyObject, got text that is not a PEM key`,
    ])
    expect(asking({ clientId: 'api', clientSecret: SECRET, endpoint: 'http://auth.example.com/' })).toEqual([
      `${path}.endpoint: expected an https URL without credentials or fragment, got "http://auth.example.com/"`,
    ])
    expect(asking({ clientid: 'api', clientSecret: '' })).toEqual([
      expect.stringContaining('did you mean clientId?'),
      expect.stringContaining(`${path}.clientId`),
      `${path}.clientSecret: expected the secret of the client, got a string of 0 characters`,
    ])
    expect(asking(SECRET)).toEqual([
      `${path}: expected an object with clientId and clientSecret, got a string of 28 characters`,
    ])
  })

  it('tell no secret', () => {
    const faults = asking({ clientId: SECRET.repeat(20), clientSecret: [SECRET], clientKey: SECRET })
    expect(faults.length).toBeGreaterThan(0)
    expect(faults.join()).not.toContain(SECRET)
  })

  it.each<[string, unknown, string]>([
    ['timeoutSeconds', 0, 'a whole number from 1 to 60 seconds'],
    ['timeoutSeconds', 61, 'a whole number from 1 to 60 seconds'],
    ['maxLifetimeSeconds', 3601, 'a whole number from 1 to 3600 seconds'],
    ['maxAccessTokenLifetimeSeconds', 1.5, 'a whole number from 1 to 3600 seconds'],
    ['fetch', 'fetch', 'a function like the global fetch'],
    ['jwksCache', 7, 'an object'],
    ['clockToleranceSeconds', -1, 'a whole number from 0 to 60 seconds'],
    ['issuer', 'http://auth.example.com', 'an https URL without query, fragment or credentials'],
    ['audience', [], 'an absolute URI'],
    ['now', () => 'noon', 'a function that returns milliseconds since the epoch, such as Date.now'],
  ])('have a %s that is not %j', (name, value, expected) => {
    expect(faultsOf({ [name]: value })).toEqual([expect.stringContaining(`${name}: expected ${expected}`)])
  })

  it('have times of the cache that do not contradict each other', () => {
    const cache = (jwksCache: object) => faultsOf({ jwksCache })
    expect(cache({ freshSeconds: 60, usableSeconds: 60, cooldownSeconds: 60 })).toEqual([])
    const order = 'jwksCache: expected cooldownSeconds <= freshSeconds <= usableSeconds, got '
    expect(cache({ freshSeconds: 7200 })).toEqual([`${order}30, 7200, 3600`])
    expect(cache({ freshSeconds: 20 })).toEqual([`${order}30, 20, 3600`])
    expect(cache({ cooldownSeconds: 601 })).toEqual([
      'jwksCache.cooldownSeconds: expected a whole number from 1 to 600 seconds, got 601',
    ])
    expect(cache({ cooldown: 30 })).toHaveLength(1)
  })

  it('have no others, and limits of what there is', () => {
    expect(faultsOf({ signingKeys: privateKey })).toHaveLength(1)
    expect(faultsOf({ jwkss: 'x' })).toEqual([expect.stringContaining('did you mean jwks?')])
    expect(faultsOf({ rateLimit: { token: { limit: 1 } } })).toHaveLength(1)
    expect(faultsOf({ rateLimit: { redeem: { limit: 1 } } })).toEqual([])
  })

  it('are all reported together', () => {
    expect(() => provisioningKeyVerifier({} as VerifierOptions)).toThrow(/^4 faults:/)
    expect(() => provisioningKeyVerifier(undefined as never)).toThrow(ConfigurationError)
  })
})

describe('provisioningKeyVerifier', () => {
  it('answers guards and middlewares, frozen, and fetches nothing', () => {
    const fetch = () => {
      throw new Error('fetched')
    }
    const made = provisioningKeyVerifier({ ...working(), fetch })
    expect(Object.keys(made).sort()).toEqual(
      [
        'requireProvisioningKey',
        'redeemProvisioningKey',
        'requireAccessToken',
        'enforceHttps',
        'securityHeaders',
        'errorHandler',
        'metadata',
        'on',
        'droppedEvents',
        ...['readiness', 'isReady', 'drain', 'finish'],
      ].sort(),
    )
    expect(Object.isFrozen(made)).toBe(true)
  })
})
