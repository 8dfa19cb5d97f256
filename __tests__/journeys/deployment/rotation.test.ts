import { generateKeyPairSync } from 'node:crypto'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { memoryStore, type ProvisioningOptions } from '../../../lib/index.js'
import { decodeJwt, forgeKey } from '../../support/forge.js'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import { CLIENT, type RunningServer, SECRET, startServer } from '../../support/server.js'

const ec = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const START = 1_700_000_000

async function withServers(
  plans: readonly Partial<ProvisioningOptions>[],
  test: (...servers: RunningServer[]) => Promise<void>,
) {
  const servers: RunningServer[] = []
  try {
    for (const options of plans) servers.push(await startServer({ options }))
    await test(...servers)
  } finally {
    await Promise.all(servers.map((server) => server.close()))
  }
}

function create(server: RunningServer, key: string) {
  return send(server, 'post', '/devices').set('Authorization', `Bearer ${key}`)
}

async function jwksOf(server: RunningServer): Promise<JSONWebKeySet> {
  return (await send(server, 'get', '/oauth/jwks').expect(200)).body
}

async function kidsOf(server: RunningServer) {
  return (await jwksOf(server)).keys.map(({ kid }) => kid)
}

function introspect(server: RunningServer, token: string) {
  return postForm(server, '/oauth/introspect', { token }).auth(CLIENT, SECRET)
}

function kidOf(token: string): unknown {
  return decodeJwt(token).header.kid
}

describe('rotation under load', () => {
  test(
    'refuses none of 200 keys that are issued and redeemed around ten rotations',
    () =>
      withServers([{}], async (server) => {
        const refused: string[] = []
        const kids = new Set<unknown>()
        const worker = async (i: number) => {
          const action = i % 2 === 0 ? 'devices:create' : 'provision:token devices:read'
          const issued = await askForKey(server, { scope: action })
          if (issued.status !== 200) return void refused.push(issued.text)
          const key: string = issued.body.access_token
          kids.add(kidOf(key))
          const { status, text } = await (i % 2 === 0 ? create(server, key) : exchangeKey(server, key))
          if (status >= 300) refused.push(text)
        }
        for (let batch = 0; batch < 20; batch += 1) {
          const workers = Array.from({ length: 10 }, (_, i) => worker(i))
          if (batch % 2 === 1) await server.keys.rotateSigningKey()
          await Promise.all(workers)
        }
        expect(refused).toEqual([])
        expect(kids.size).toBeGreaterThan(8)
        expect(server.events.filter(({ type }) => type === 'key.redeemed')).toHaveLength(200)
        expect(server.events.filter(({ type }) => type === 'signing_key.rotated')).toHaveLength(10)
      }),
    60_000,
  )
})

describe('rotation over time', () => {
  test('keeps the old key until the last token that it signed has expired', async () => {
    const clock = { seconds: START }
    const now = () => clock.seconds * 1000
    await withServers([{ now }], async (server) => {
      const key = await obtainKey(server, { scope: 'devices:read devices:create' })
      const exchanged = await exchangeKey(server, await obtainKey(server)).expect(200)
      const token: string = exchanged.body.access_token
      const { kid, retired } = await server.keys.rotateSigningKey()
      expect([kidOf(key), kidOf(token), kidOf(await obtainKey(server))]).toEqual([
        retired.kid,
        retired.kid,
        kid,
      ])
      clock.seconds += 304
      await create(server, key).expect(201)
      expect((await introspect(server, token)).body).toMatchObject({ active: true })
      clock.seconds = retired.until.getTime() / 1000 - 1
      expect(await kidsOf(server)).toEqual([kid, retired.kid])
      clock.seconds += 1
      expect(await kidsOf(server)).toEqual([kid])
      expect((await introspect(server, token)).body).toEqual({ active: false })
    })
  })

  test('publishes each key with its use, and never a secret', () =>
    withServers([{}], async (server) => {
      const secret = { kty: 'oct', k: Buffer.alloc(32, 7).toString('base64url') }
      const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
      await server.keys.addSigningKey({ key: rsa, alg: 'PS256' })
      await server.keys.addSigningKey(secret)
      await server.keys.rotateSigningKey(secret)
      const { keys } = await jwksOf(server)
      const facts = keys.map(({ use, alg, kty }) => [use, alg, kty])
      expect(facts).toEqual([
        ['sig', 'ES256', 'EC'],
        ['sig', 'PS256', 'RSA'],
      ])
      expect(new Set(keys.map(({ kid }) => kid)).size).toBe(2)
      expect(JSON.stringify(keys)).not.toMatch(/"oct"|"(k|d|p|q|dp|dq|qi)":/)
      const { key_id } = (await askForKey(server)).body
      expect(key_id).toEqual(expect.any(String))
    }))

  test('lets a foreign library verify old and new tokens with the published set', () =>
    withServers([{}], async (server) => {
      const tokens = [await obtainKey(server)]
      await server.keys.rotateSigningKey(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)
      tokens.push(await obtainKey(server))
      const set = createLocalJWKSet(await jwksOf(server))
      const verified = await Promise.all(tokens.map((token) => jwtVerify(token, set)))
      expect(verified.map(({ protectedHeader }) => protectedHeader.alg)).toEqual(['ES256', 'RS256'])
    }))
})

describe('rotation on two instances that share a store', () => {
  function twoInstances(
    test: (a: RunningServer, b: RunningServer, clock: { seconds: number }) => Promise<void>,
  ) {
    const clock = { seconds: START }
    const now = () => clock.seconds * 1000
    const shared = { store: memoryStore({ now }), now }
    return withServers([shared, shared], (a, b) => test(a as RunningServer, b as RunningServer, clock))
  }

  /** Each instance accepts the keys of the other. */
  async function crossOver(a: RunningServer, b: RunningServer) {
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      await create(other, await obtainKey(one, { scope: 'devices:create' })).expect(201)
      const { body } = await exchangeKey(other, await obtainKey(one)).expect(200)
      expect((await introspect(one, body.access_token)).body).toMatchObject({ active: true })
    }
  }

  test('refuses nothing when each knows the next key before one signs with it', () =>
    twoInstances(async (a, b, clock) => {
      const next = ec()
      const before = await obtainKey(a, { scope: 'devices:create' })
      await a.keys.addSigningKey(next.privateKey)
      await crossOver(a, b)
      await b.keys.addSigningKey(next.privateKey)
      await crossOver(a, b)
      expect(await kidsOf(a)).toEqual(await kidsOf(b))
      await a.keys.rotateSigningKey(next.privateKey, { overlapSeconds: 120 })
      for (const passed of [0, 60, 60]) {
        clock.seconds += passed
        await crossOver(a, b)
      }
      await b.keys.rotateSigningKey(next.privateKey, { overlapSeconds: 120 })
      clock.seconds += 100
      await crossOver(a, b)
      await create(b, before).expect(201)
      expect(await kidsOf(a)).toEqual(await kidsOf(b))
      for (const { events } of [a, b]) {
        expect(events.filter(({ type }) => type === 'request.refused')).toEqual([])
      }
      const signedWith = [kidOf(await obtainKey(a)), kidOf(await obtainKey(b))]
      expect(new Set(signedWith)).toEqual(new Set((await kidsOf(a)).slice(0, 1)))
    }))

  test('refuses what the former key signs after the overlap, and what a key signs that was not added', () =>
    twoInstances(async (a, b, clock) => {
      const next = ec()
      await a.keys.rotateSigningKey(next.privateKey, { overlapSeconds: 60 })
      await create(b, await obtainKey(a, { scope: 'devices:create' })).expect(401)
      clock.seconds += 66
      await create(a, await obtainKey(b, { scope: 'devices:create' })).expect(401)
      const reasons = [...b.events, ...a.events].flatMap((event) =>
        event.type === 'request.refused' ? [event.reason] : [],
      )
      expect(reasons).toEqual(['signing_key_unknown', 'signing_key_retired'])
    }))
})

describe('a signing key that nobody knows', () => {
  test('is looked for once, at the ring, whatever is thrown at it', () =>
    withServers([{}], async (server) => {
      const genuine = await obtainKey(server, { scope: 'devices:create' })
      const before = await kidsOf(server)
      for (let i = 0; i < 50; i += 1) {
        const forged = forgeKey(genuine, { header: { kid: `${'k'.repeat(i * 20)}${i}` } })
        await create(server, forged).expect(401)
      }
      expect(await kidsOf(server)).toEqual(before)
      const refused = server.events.flatMap((event) =>
        event.type === 'request.refused' ? [event.reason] : [],
      )
      expect(new Set(refused)).toEqual(new Set(['signing_key_unknown']))
      expect(refused).toHaveLength(50)
      await create(server, genuine).expect(201)
    }))
})
