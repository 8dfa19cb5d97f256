import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import express, { type Express } from 'express'
import request from 'supertest'
import { signWith } from '../../lib/client/client.js'
import {
  generateSigningKeys,
  type ProvisioningKeys,
  type ProvisioningOptions,
  provisioningKeys,
  provisioningKeyVerifier,
} from '../../lib/index.js'
import { overHttps, storeContract, testClock, testIssuer, testKit } from '../../lib/testing/testing.js'
import { AUDIENCE, CLIENT, honest, hostWith, SCOPE } from '../support/broken-host.js'
import { decodeJwt } from '../support/forge.js'

/** The claims of a key or an access token. */
const claimsOf = (token: string) => decodeJwt(token).payload

function appOf(
  overrides: Partial<ProvisioningOptions>,
  mount = (app: Express, keys: ProvisioningKeys) => void app.use(keys.router()),
): Express {
  const keys = provisioningKeys({
    issuer: 'https://auth.example.com',
    audience: AUDIENCE,
    signingKeys: generateSigningKeys(),
    clients: [{ ...CLIENT, policy: { scopes: [SCOPE], defaultScopes: [SCOPE] } }],
    rateLimit: false,
    monitoring: false,
    observer: () => undefined,
    ...overrides,
  })
  const app = express()
  mount(app, keys)
  app.post('/devices', keys.redeemProvisioningKey({ scope: SCOPE }), (_req, res) => void res.sendStatus(201))
  return app
}

const post = (app: Express, headers: Readonly<Record<string, string>>) =>
  request(overHttps(app)).post('/devices').set(headers)

describe('testKey()', () => {
  const { app, kit } = hostWith(honest)

  it('answers with a key that the app accepts once, through supertest', async () => {
    const key = await kit.testKey({ scope: SCOPE })
    await post(app, { Authorization: `Bearer ${key}` }).expect(201)
    await post(app, { Authorization: `Bearer ${key}` }).expect(401)
  })

  it('has the terms that the test wants', async () => {
    const resource = 'https://files.example.com'
    const key = await kit.testKey({
      scope: [SCOPE, 'devices:read'],
      subject: 'device:7',
      resource,
      lifetimeSeconds: 60,
    })
    const { scope, sub, aud, iat, exp } = claimsOf(key)
    expect({ scope, sub, aud, lifetime: Number(exp) - Number(iat) }).toEqual({
      scope: `${SCOPE} devices:read`,
      sub: 'device:7',
      aud: resource,
      lifetime: 60,
    })
  })

  it('has the default scope of the client without a scope', async () => {
    const kitOfDefault = testKit({ app: appOf({}), client: CLIENT })
    expect(claimsOf(await kitOfDefault.testKey())).toMatchObject({ scope: SCOPE })
  })

  it('has expired, and harms no other key', async () => {
    const good = await kit.testKey({ scope: SCOPE })
    const expired = await kit.testKey({ scope: SCOPE, expired: true })
    const { body } = await post(app, { Authorization: `Bearer ${expired}` }).expect(401)
    expect(body.error).toBe('invalid_token')
    await post(app, { Authorization: `Bearer ${good}` }).expect(201)
  })

  it('has expired, and harms no key that the test asks for at the same time', async () => {
    const access = kit.testAccessToken({ scope: SCOPE })
    const asking = [false, true, false, true, false].map((expired) => kit.testKey({ scope: SCOPE, expired }))
    const [token, ...keys] = await Promise.all([access, ...asking])
    const answers = keys.map((key) => post(app, { Authorization: `Bearer ${key}` }))
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([201, 401, 201, 401, 201])
    expect(Number(claimsOf(token)['exp'])).toBeGreaterThan(Date.now() / 1000)
  })

  it('can be asked for again after the app has refused one that has expired', async () => {
    const refused = kit.testKey({ scope: 'admin', expired: true })
    const good = kit.testKey({ scope: SCOPE })
    await expect(refused).rejects.toThrow('invalid_scope')
    await post(app, { Authorization: `Bearer ${await good}` }).expect(201)
  })

  it('is revoked', async () => {
    const key = await kit.testKey({ scope: SCOPE, revoked: true })
    await post(app, { Authorization: `Bearer ${key}` }).expect(401)
  })

  it('is bound to a DPoP key, whose headers the app accepts', async () => {
    const dpop = await kit.dpopKey()
    const token = await kit.testKey({ scope: SCOPE, dpop })
    expect(claimsOf(token)).toMatchObject({ cnf: { jkt: dpop.thumbprint } })
    await post(app, await dpop.headers({ method: 'POST', url: '/devices', token })).expect(201)
  })

  it('rejects with the refusal of the app, which contains no secret', async () => {
    const asking = kit.testKey({ scope: 'admin' })
    await expect(asking).rejects.toThrow(/^The app issued nothing: 400 invalid_scope /)
    kit.expectNoKeyIn(await asking.catch((error: unknown) => error))
  })
})

describe('a proof', () => {
  const { kit } = hostWith(honest)

  it('names the request, the time of the clock, the token and the nonce', async () => {
    const clock = testClock()
    clock.advance(3600)
    const moved = testKit({ app: hostWith(honest).app, client: CLIENT, clock })
    const dpop = await moved.dpopKey()
    const token = await kit.testKey({ scope: SCOPE })
    const proof = await dpop.proof({ method: 'PUT', url: '/devices/7?a=b', token, nonce: 'n-1' })
    const { htm, htu, iat, ath, nonce } = claimsOf(proof)
    const hash = createHash('sha256').update(token).digest('base64url')
    expect({ htm, htu, ath, nonce }).toEqual({
      htm: 'PUT',
      htu: `${AUDIENCE}/devices/7`,
      ath: hash,
      nonce: 'n-1',
    })
    expect(Math.abs(Number(iat) - Date.now() / 1000 - 3600)).toBeLessThan(60)
  })

  it('is refused without a URL, unless a token names the origin', async () => {
    const dpop = await kit.dpopKey()
    await expect(async () => dpop.proof({ method: 'GET', url: '/devices' })).rejects.toThrow(
      'url: expected a URL, or a path together with a token',
    )
  })
})

describe('testAccessToken()', () => {
  const { app, kit } = hostWith((keys) => keys.requireAccessToken({ scope: SCOPE, audience: AUDIENCE }))

  it('answers with an access token for the scope', async () => {
    const token = await kit.testAccessToken({ scope: SCOPE })
    await post(app, { Authorization: `Bearer ${token}` }).expect(201)
  })

  it.each(['expired', 'revoked'] as const)('can be %s', async (state) => {
    const token = await kit.testAccessToken({ scope: SCOPE, [state]: true })
    await post(app, { Authorization: `Bearer ${token}` }).expect(401)
  })

  it('can be bound to a DPoP key', async () => {
    const dpop = await kit.dpopKey()
    const token = await kit.testAccessToken({ scope: SCOPE, dpop })
    await post(app, await dpop.headers({ method: 'POST', url: '/devices', token })).expect(201)
    await post(app, { Authorization: `Bearer ${token}` }).expect(401)
  })
})

describe('testKit()', () => {
  it('works with a local deployment, with and without overHttps()', async () => {
    const issuer = 'http://localhost:3000'
    const app = appOf({ issuer, audience: issuer })
    const kit = testKit({ app, client: CLIENT })
    const key = await kit.testKey()
    await request(app).post('/devices').set('Authorization', `Bearer ${key}`).expect(201)
    await kit.attacks.cleartext(app, { method: 'POST', path: '/devices', scope: SCOPE })
  })

  it('works with server nonces, at the token endpoint and in attacks', async () => {
    const app = appOf({ dpop: { nonceSecret: 'n'.repeat(64) } })
    const kit = testKit({ app, client: CLIENT })
    const route = { method: 'POST', path: '/devices', scope: SCOPE, dpop: true }
    await kit.attacks.dpopOtherKey(app, route)
    await kit.attacks.dpopReplayedProof(app, route)
  })

  it('authenticates with the private key of the client', async () => {
    const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ])
    const signer = await signWith(pair)
    const jwks = { keys: [signer.publicJwk] }
    const app = appOf({ clients: [{ clientId: 'signing', jwks, policy: { scopes: [SCOPE] } }] })
    const key = await testKit({ app, client: { clientId: 'signing', signer } }).testKey({ scope: SCOPE })
    await post(app, { Authorization: `Bearer ${key}` }).expect(201)
  })

  it('finds an issuer that has a path', async () => {
    const issuer = 'https://auth.example.com/tenant-1'
    const app = appOf({ issuer })
    await expect(testKit({ app, client: CLIENT }).testKey()).rejects.toThrow(
      'If the issuer has a path, also give `issuer`',
    )
    expect(claimsOf(await testKit({ app, client: CLIENT, issuer }).testKey())).toMatchObject({ iss: issuer })
  })

  it('says what to mount if the app issues no keys', async () => {
    const kit = testKit({ app: express(), client: CLIENT })
    await expect(kit.testKey()).rejects.toThrow(
      'The app has no metadata at /.well-known/oauth-authorization-server (status 404): mount keys.router() in the app.',
    )
  })

  it('says what is missing for a key that cannot be revoked', async () => {
    const app = appOf({}, (host, keys) => void host.use(keys.issuance(), keys.metadata()))
    await expect(testKit({ app, client: CLIENT }).testKey({ revoked: true })).rejects.toThrow(
      'The app has no endpoint for revocation: mount keys.router() or keys.revocation().',
    )
  })

  it.each([
    ['none', undefined],
    ['one that the app does not use', testClock()],
  ])('needs the clock of the app for a key that has expired, and finds %s', async (_, clock) => {
    const kit = testKit({ app: appOf({}), client: CLIENT, ...(clock && { clock }) })
    await expect(kit.testKey({ expired: true })).rejects.toThrow(
      'needs the clock of the app: const clock = testClock()',
    )
  })

  it('works with a clock of fake timers, without the option `now`', async () => {
    jest.useFakeTimers({
      doNotFake: ['nextTick', 'setImmediate', 'setTimeout', 'setInterval', 'queueMicrotask'],
    })
    try {
      const advance = (seconds: number) => void jest.setSystemTime(Date.now() + seconds * 1000)
      const app = appOf({})
      const kit = testKit({ app, client: CLIENT, clock: { now: () => Date.now(), advance } })
      const key = await kit.testKey({ expired: true })
      await post(app, { Authorization: `Bearer ${key}` }).expect(401)
    } finally {
      jest.useRealTimers()
    }
  })
})

describe('testClock()', () => {
  it('refuses what is not a number of seconds', () => {
    expect(() => testClock().advance(Number.NaN)).toThrow('advance: expected a number of seconds')
  })
})

describe('testIssuer()', () => {
  const issuer = testIssuer(provisioningKeys, { scopes: ['devices:read'], audience: AUDIENCE })
  const { testKey, attacks } = testKit(issuer)
  const verifier = provisioningKeyVerifier({ ...issuer.verifierOptions, monitoring: false })
  const app = express()
  app.get('/devices', verifier.requireProvisioningKey({ scope: 'devices:read' }), (req, res) => {
    res.json({ subject: req.provisioning?.subject })
  })

  it('issues keys for an API in another process, which asks it without a port', async () => {
    const key = await testKey({ subject: 'device:7' })
    const asking = request(overHttps(app)).get('/devices').set('Authorization', `Bearer ${key}`)
    await asking.expect(200, { subject: 'device:7' })
  })

  it('lets attacks try a route of that API', async () => {
    const route = {
      method: 'GET',
      path: '/devices',
      scope: 'devices:read',
      redeems: false,
      otherScope: 'provision:token',
    }
    expect(await attacks.all(app, route)).toEqual(expect.arrayContaining(['expired', 'revoked', 'algNone']))
  })
})

describe('a mistake in a test', () => {
  const { app, kit } = hostWith(honest)
  const APP = 'the Express app or another request listener, and not its server'
  const message = (act: () => unknown) => {
    try {
      act()
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }

  it('in the options of testKit() is named', () => {
    const given = { app: createServer(app), client: { clientId: 'fleet', secret: 'a' }, clok: testClock() }
    expect(message(() => testKit(given as never))?.split('\n  - ')).toEqual([
      '3 faults:',
      'testKit.clok: expected a known option; did you mean clock? got an unknown name',
      `testKit.app: expected ${APP}, got an object`,
      'testKit.client: expected { clientId, clientSecret } or { clientId, signer }, got an object',
    ])
  })

  it('in the argument of overHttps() is named', () => {
    expect(message(() => overHttps(createServer(app) as never))).toBe(`app: expected ${APP}, got an object`)
  })

  it('in the terms of a key is named', async () => {
    const unknown = { scopes: [SCOPE] } as object
    await expect(kit.testKey(unknown)).rejects.toThrow(
      'testKey.scopes: expected a known option; did you mean scope?',
    )
    await expect(kit.testAccessToken(unknown)).rejects.toThrow(
      'testAccessToken.scopes: expected a known option',
    )
    const expired = 'yes' as unknown as boolean
    await expect(kit.testKey({ scope: SCOPE, expired })).rejects.toThrow(
      'testKey.expired: expected true or false',
    )
  })

  it('in the options of testIssuer() is named', () => {
    expect(message(() => testIssuer(provisioningKeys, { scopes: SCOPE } as never))).toBe(
      'testIssuer.scopes: expected a list of texts, got "devices:create"',
    )
  })

  it('does not leave out the clock that has methods of a class', async () => {
    class Clock {
      #time = Date.now()
      readonly now = () => this.#time
      advance(seconds: number) {
        this.#time += seconds * 1000
      }
    }
    const clock = new Clock()
    const { testKey } = testKit({ app: appOf({ now: clock.now }), client: CLIENT, clock })
    expect(Number(claimsOf(await testKey({ expired: true }))['exp'])).toBeLessThan(clock.now() / 1000)
  })
})

describe('a contract', () => {
  it('names the globals that the test runner does not have', () => {
    const kept: unknown = Reflect.get(globalThis, 'expect')
    Reflect.deleteProperty(globalThis, 'expect')
    let fault: unknown
    try {
      storeContract({ name: 'a store', create: () => Promise.reject(new Error('unused')) })
    } catch (error) {
      fault = error
    } finally {
      Object.assign(globalThis, { expect: kept })
    }
    expect(fault).toMatchObject({ message: expect.stringContaining('storeContract() needs the globals') })
  })
})
