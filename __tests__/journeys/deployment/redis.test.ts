import { createHash, randomBytes } from 'node:crypto'
import { redisStore } from '../../../lib/stores/redis/redis.js'
import { askSigned, bindByProof } from '../../support/bound-client'
import { type ClientKey, clientKey } from '../../support/client-assertion'
import { disclosures } from '../../support/disclosures'
import { wholeJourney } from '../../support/host-app'
import { overhear } from '../../support/overheard'
import { signProof } from '../../support/proof'
import { PATIENCE_SECONDS } from '../../support/redis/bench'
import { CLIENTS, type ConnectedClient } from '../../support/redis/clients'
import { type RedisServer, startRedis } from '../../support/redis/servers'
import { everything, watching } from '../../support/redis/watching'
import { manage, registerClient, update } from '../../support/registering'
import { exchangeKey, obtainKey, postForm, send } from '../../support/requests'
import { AUDIENCE, CLIENT, ISSUER, type RunningServer, SECRET, startServer } from '../../support/server'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis?.close())

async function withProcesses(
  count: number,
  test: (servers: readonly RunningServer[]) => Promise<void>,
  timeoutSeconds = PATIENCE_SECONDS,
) {
  const clients: ConnectedClient[] = []
  const servers: RunningServer[] = []
  try {
    for (let i = 0; i < count; i += 1) {
      const client = await CLIENTS[i % 2 === 0 ? 'ioredis' : 'node-redis'](redis)
      clients.push(client)
      const store = redisStore({ sendCommand: client.sendCommand, timeoutSeconds })
      servers.push(await startServer({ options: { store } }))
    }
    await test(servers)
  } finally {
    for (const { close } of [...servers, ...clients]) await close()
  }
}

const at = (path: string) => ({ method: 'POST', url: `${ISSUER}/oauth${path}` })

/** Asks for a key that is bound to a DPoP key. */
async function obtainBoundKey(server: RunningServer, own: ClientKey, scope = 'provision:token devices:read') {
  const form = { grant_type: 'client_credentials', scope }
  const asking = postForm(server, '/oauth/token', form).auth(CLIENT, SECRET)
  const { body } = await asking.set('DPoP', signProof(own, at('/token'))).expect(200)
  return body.access_token as string
}

function exchangeBound(server: RunningServer, own: ClientKey, key: string) {
  return exchangeKey(server, key).set('DPoP', signProof(own, at('/token'), { token: key }))
}

/** Uses keys, tokens, secrets, proofs and assertions in every way. */
async function everyJourney(server: RunningServer): Promise<void> {
  await wholeJourney(server)
  const key = await obtainKey(server)
  await exchangeKey(server, key).expect(200)
  await exchangeKey(server, key).expect(400)
  const own = clientKey()
  const boundKey = await obtainBoundKey(server, own)
  const { body } = await exchangeBound(server, own, boundKey).expect(200)
  await exchangeBound(server, own, boundKey)
  await exchangeBound(server, clientKey(), boundKey).expect(400)
  await postForm(server, '/oauth/introspect', { token: body.access_token }).auth(CLIENT, SECRET).expect(200)
  const creating = await obtainBoundKey(server, own, 'devices:create')
  const proof = signProof(own, { method: 'POST', url: `${AUDIENCE}/devices` }, { token: creating })
  const presented = { Authorization: `DPoP ${creating}`, DPoP: proof }
  await send(server, 'post', '/devices').set(presented).expect(201)
  await send(server, 'post', '/devices').set(presented)
  const registered = await registerClient(server)
  await update(server, registered, { client_name: 'another' }).expect(200)
  await manage(server, 'get', registered).expect(200)
  const binder = clientKey()
  const { body: bound } = await bindByProof(server, binder, { requested_subject: 'device:7' })
  await askSigned(server, binder, bound.client_id).expect(200)
}

describe('a deployment over Redis', () => {
  it('serves whole journeys, and tells Redis no key, no token, no proof and no secret', () =>
    withProcesses(1, async ([server]) => {
      if (server === undefined) throw new Error('no server')
      const heard = overhear(server.https)
      const seen = await watching(redis, () => everyJourney(server))
      const kept = await everything(redis)
      const kinds = ['Basic', 'Bearer', 'DPoP', 'DPoP proof', 'access_token', 'client_assertion']
      const more = ['client_secret', 'proof', 'registration_access_token', 'subject_token', 'token']
      expect([...new Set(heard.secrets.values())].sort()).toEqual([...kinds, ...more].sort())
      expect(seen).toMatch(/"redeeming".*"attempt"/)
      expect(seen).toContain(`"${CLIENT}"`)
      expect(kept).toContain(':key:ci-runner:')
      for (const text of [seen, kept]) {
        expect(disclosures(text, heard)).toEqual([])
        // The beginning of a JWT. Encrypted text is random and can contain these letters.
        expect(text).not.toMatch(/(?<![\w-])eyJ/)
      }
    }))

  it('would be found to tell a secret in whichever form', async () => {
    const segments = [{ alg: 'ES256', jwk: clientKey().jwk }, { jti: 'an-id' }].map((part) =>
      JSON.stringify(part),
    )
    const signature = randomBytes(64)
    const token = [...segments, signature].map((part) => Buffer.from(part).toString('base64url')).join('.')
    const hash = createHash('sha256').update(token).digest()
    const heard = { secrets: new Map([[token, 'token']]), identifiers: new Set<string>() }
    const [header = '', payload = ''] = segments
    const leaks: readonly (string | Buffer)[] = [
      ...[token, `x${token}x`, token.slice(20, 50), token.slice(-30), header, payload],
      ...[hash.toString('hex'), hash.toString('base64url'), JSON.parse(header).jwk.x],
      ...[signature.toString('hex'), signature.toString('base64'), Buffer.from(token).toString('base64')],
      ...[signature, signature.subarray(20, 40), hash],
    ]
    const client = await CLIENTS['node-redis'](redis)
    const seen = await watching(redis, async () => {
      for (const value of ['ES256 an-id', ...leaks])
        await client.sendCommand(['SET', 'leak', value as string])
    }).finally(client.close)
    const [, ...told] = seen.split('"SET" "leak" ')
    expect(told.map((text) => disclosures(text, heard).length > 0)).toEqual([false, ...leaks.map(() => true)])
  })

  it('lets one of 100 concurrent redemptions of a key through, at three processes', () =>
    withProcesses(3, async (servers) => {
      const [first] = servers
      if (first === undefined) throw new Error('no server')
      const key = await obtainKey(first)
      const all = Array.from({ length: 100 }, (_, i) => exchangeKey(servers[i % 3] ?? first, key))
      const statuses = (await Promise.all(all)).map(({ status }) => status)
      expect(statuses.filter((status) => status === 200)).toHaveLength(1)
      expect(statuses.filter((status) => status === 400)).toHaveLength(99)
    }))

  it('refuses with 503 while Redis is paused, in time, and goes on when it is back', () =>
    withProcesses(
      1,
      async ([server]) => {
        if (server === undefined) throw new Error('no server')
        const key = await obtainKey(server)
        redis.signal('SIGSTOP')
        const start = performance.now()
        const { status, body, headers } = await exchangeKey(server, key)
        redis.signal('SIGCONT')
        expect([status, body.error]).toEqual([503, 'temporarily_unavailable'])
        expect(Number(headers['retry-after'])).toBeGreaterThan(0)
        expect(performance.now() - start).toBeLessThan(5_000)
        await exchangeKey(server, key).expect(200)
      },
      2,
    ))

  it('refuses every key that was issued before FLUSHALL, and answers nothing again', () =>
    withProcesses(1, async ([server]) => {
      if (server === undefined) throw new Error('no server')
      const key = await obtainKey(server)
      const own = clientKey()
      const boundKey = await obtainBoundKey(server, own)
      const redeemedKey = await obtainBoundKey(server, own)
      await exchangeBound(server, own, redeemedKey).expect(200)
      await redis.cli('FLUSHALL')
      const again = [boundKey, redeemedKey].map((one) => exchangeBound(server, own, one))
      for (const request of [exchangeKey(server, key), ...again]) {
        await request.expect(400)
        expect(server.events.at(-1)).toMatchObject({ type: 'request.refused', reason: 'key_unknown' })
      }
      await exchangeKey(server, await obtainKey(server)).expect(200)
    }))
})
