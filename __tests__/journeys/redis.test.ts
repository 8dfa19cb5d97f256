import { spawn } from 'node:child_process'
import { redisStore } from '../../lib/stores/redis.js'
import { clientKey } from '../support/client-assertion'
import { wholeJourney } from '../support/host-app'
import { leastOf } from '../support/least-of'
import { signProof } from '../support/proof'
import { CLIENTS, type ConnectedClient } from '../support/redis/clients'
import { pause, type RedisServer, startRedis } from '../support/redis/servers'
import { askForKey, EXCHANGE, exchangeKey, JWT_TYPE, obtainKey, postForm } from '../support/requests'
import { CLIENT, ISSUER, type RunningServer, SECRET, startServer } from '../support/server'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis?.close())

/** Everything that Redis is told while `act` goes on, as Redis itself shows it. */
async function watching(act: () => Promise<void>): Promise<string> {
  const monitor = spawn('redis-cli', ['-p', String(redis.port), 'MONITOR'])
  let seen = ''
  monitor.stdout.on('data', (data) => {
    seen += data
  })
  const sees = async (text: string) => {
    for (const deadline = Date.now() + 10_000; !seen.includes(text); await pause(20))
      if (Date.now() > deadline) throw new Error(`MONITOR did not show ${text}`)
  }
  try {
    await sees('OK')
    await act()
    await redis.cli('ECHO', 'the end')
    await sees('the end')
  } finally {
    monitor.kill()
  }
  return seen
}

/** Servers that share the Redis. They have all the time they need for it, but where they are to be too late. */
async function withProcesses(
  count: number,
  test: (servers: readonly RunningServer[]) => Promise<void>,
  timeoutSeconds: (i: number) => number = () => 60,
) {
  const clients: ConnectedClient[] = []
  const servers: RunningServer[] = []
  try {
    for (let i = 0; i < count; i += 1) {
      const client = await CLIENTS[i % 2 === 0 ? 'ioredis' : 'node-redis'](redis)
      clients.push(client)
      const store = redisStore({ sendCommand: client.sendCommand, timeoutSeconds: timeoutSeconds(i) })
      servers.push(await startServer({ options: { store } }))
    }
    await test(servers)
  } finally {
    for (const { close } of [...servers, ...clients]) await close()
  }
}

/** What must not be found anywhere: a token, and each part of it. */
const partsOf = (token: string) => [token, ...token.split('.')]

describe('a deployment over Redis', () => {
  it('serves whole journeys, and tells Redis no key, no token, no proof and no secret', () =>
    withProcesses(1, async ([server]) => {
      if (server === undefined) throw new Error('no server')
      const secrets = [SECRET]
      const seen = await watching(async () => {
        await wholeJourney(server)
        const key = await obtainKey(server)
        const { body } = await exchangeKey(server, key).expect(200)
        await exchangeKey(server, key).expect(400)
        secrets.push(...partsOf(key), ...partsOf(body.access_token))
        const own = clientKey()
        const prove = (token?: string) =>
          signProof(
            own,
            { method: 'POST', url: `${ISSUER}/oauth/token` },
            token === undefined ? {} : { token },
          )
        const proof = prove()
        const asking = { grant_type: 'client_credentials', scope: 'provision:token' }
        const bound = await postForm(server, '/oauth/token', asking).auth(CLIENT, SECRET).set('DPoP', proof)
        const boundKey: string = bound.body.access_token
        const second = prove(boundKey)
        const form = { grant_type: EXCHANGE, subject_token: boundKey, subject_token_type: JWT_TYPE }
        await postForm(server, '/oauth/token', form).set('DPoP', second).expect(200)
        secrets.push(...partsOf(boundKey), ...partsOf(proof), ...partsOf(second))
      })
      const kept = await everything()
      expect(seen).toMatch(/"redeeming".*"attempt"/)
      expect(seen).toContain(`"${CLIENT}"`)
      expect(kept).toContain(':key:ci-runner:')
      for (const text of [seen, kept]) {
        expect(secrets.filter((secret) => text.includes(secret))).toEqual([])
        expect(text).not.toContain('eyJ')
      }
    }))

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
      2,
      async ([patient, hasty]) => {
        if (patient === undefined || hasty === undefined) throw new Error('no server')
        const key = await obtainKey(patient)
        const refusedAfter = async () => {
          redis.signal('SIGSTOP')
          const start = performance.now()
          const { status, body, headers } = await exchangeKey(hasty, key)
          const milliseconds = performance.now() - start
          redis.signal('SIGCONT')
          expect([status, body.error]).toEqual([503, 'temporarily_unavailable'])
          expect(Number(headers['retry-after'])).toBeGreaterThan(0)
          return milliseconds
        }
        expect(await leastOf(5_000, refusedAfter)).toBeLessThan(5_000)
        await exchangeKey(patient, key).expect(200)
        const isServed = async () => {
          const asked = await askForKey(hasty)
          return asked.status === 200 && (await exchangeKey(hasty, asked.body.access_token)).status === 200
        }
        for (const deadline = Date.now() + 20_000; !(await isServed()); await pause(20))
          if (Date.now() > deadline) throw new Error('it did not go on')
      },
      (i) => (i === 0 ? 60 : 0.5),
    ))

  it('refuses every key that was issued before FLUSHALL', () =>
    withProcesses(1, async ([server]) => {
      if (server === undefined) throw new Error('no server')
      const key = await obtainKey(server)
      await redis.cli('FLUSHALL')
      await exchangeKey(server, key).expect(400)
      expect(server.events.at(-1)).toMatchObject({ type: 'request.refused', reason: 'key_unknown' })
      await exchangeKey(server, await obtainKey(server)).expect(200)
    }))
})

/** All that lies in Redis, names and values. */
async function everything(): Promise<string> {
  const names = (await redis.cli('--scan')).split('\n')
  const values = names.map(async (name) => {
    const type = await redis.cli('TYPE', name)
    if (type === 'hash') return redis.cli('HGETALL', name)
    return type === 'zset' ? redis.cli('ZRANGE', name, '0', '-1', 'WITHSCORES') : redis.cli('GET', name)
  })
  return [...names, ...(await Promise.all(values))].join('\n')
}
