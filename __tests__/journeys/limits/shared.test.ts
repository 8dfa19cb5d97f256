import { setTimeout as pause } from 'node:timers/promises'
import { Cluster } from 'ioredis'
import { RedisStore as RedisLimits } from 'rate-limit-redis'
import { createClient, createCluster } from 'redis'
import { clientKey } from '../../support/client-assertion'
import { signProof } from '../../support/proof'
import { CLIENTS } from '../../support/redis/clients'
import { from, withInstances } from '../../support/redis/instances'
import { limitsIn } from '../../support/redis/limits'
import { type RedisCluster, type RedisServer, startCluster, startRedis } from '../../support/redis/servers'
import { askForKey, exchangeKey, obtainKey } from '../../support/requests'
import { describeInAll, itInAll } from '../../support/scale.js'
import { ISSUER, type RunningServer, startServer } from '../../support/server'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis?.close())
beforeEach(() => redis.cli('FLUSHALL'))

/** Repeats a request until it gets this status. */
const HOLDER = clientKey()
const proof = () => signProof(HOLDER, { method: 'POST', url: `${ISSUER}/oauth/token` })

/** A key that is bound to the proof key. Bearer keys are not counted. */
async function boundKey(server: RunningServer, form: Record<string, string> = {}): Promise<string> {
  const { body } = await askForKey(server, form).set('DPoP', proof()).expect(200)
  return body.access_token
}

async function until(status: number, ask: () => PromiseLike<{ status: number }>): Promise<void> {
  const deadline = Date.now() + 20_000
  for (let got: number | undefined; got !== status; await pause(50)) {
    got = (await ask()).status
    if (got !== status && Date.now() > deadline) throw new Error(`expected ${status} in time, got ${got}`)
  }
}

/** A server with limits in a Redis that may be down, and a client that queues no commands. */
async function startBefore(port: number, store?: (name: string) => RedisLimits): Promise<Started> {
  const client = createClient({
    url: `redis://127.0.0.1:${port}`,
    disableOfflineQueue: true,
    socket: { reconnectStrategy: () => 50 },
  })
  client.on('error', () => undefined)
  client.connect().catch(() => undefined)
  const stores = store ?? limitsIn((command) => client.sendCommand(command))
  const rateLimit = { token: { limit: 2 }, store: stores, timeoutSeconds: 0.5 }
  const server = await startServer({ options: { rateLimit } })
  return { server, close: () => server.close().finally(() => client.destroy()) }
}

interface Started {
  readonly server: RunningServer
  close(): Promise<void>
}

describe('limits over one Redis', () => {
  itInAll('count an address for all instances', () =>
    withInstances(redis, { rateLimit: { token: { limit: 3 } } }, async (one, other) => {
      const ask = (server: RunningServer, last: number) =>
        askForKey(server, {}, { id: 'nobody', secret: 'whatever-it-is' }).set(from(`192.0.2.${last}`))
      for (const server of [one, other, one]) await ask(server, 1).expect(401)
      for (const server of [one, other]) {
        const { headers } = await ask(server, 1).expect(429)
        expect(Number(headers['retry-after'])).toBeGreaterThan(0)
        expect(headers.ratelimit).toMatch(/"token-address"; r=0; t=\d+/)
      }
      await ask(other, 2).expect(401)
    }),
  )

  it('count a client for all instances, from wherever it comes', () =>
    withInstances(redis, { rateLimit: { token: { limit: 3 } } }, async (one, other) => {
      const servers = [one, other, other]
      for (const [i, server] of servers.entries())
        await askForKey(server)
          .set(from(`192.0.2.${i}`))
          .expect(200)
      for (const [i, server] of [one, other].entries())
        await askForKey(server)
          .set(from(`192.0.2.${10 + i}`))
          .expect(429)
    }))

  it('count a key for all instances, and apart from its client', () =>
    withInstances(redis, { rateLimit: { token: { limit: 3 } } }, async (one, other) => {
      const key = await boundKey(one, { scope: 'devices:create' })
      const exchange = (server: RunningServer, address: string) =>
        exchangeKey(server, key).set(from(address)).set('DPoP', proof())
      for (const [i, server] of [one, other, one].entries())
        await exchange(server, `192.0.2.${i}`).expect(400)
      await exchange(other, '192.0.2.9').expect(429)
      await askForKey(other).set(from('192.0.2.8')).expect(200)
    }))

  it('let exactly as many of a hundred concurrent requests through as they say', () =>
    withInstances(redis, { rateLimit: { token: { limit: 30 } } }, async (one, other) => {
      const asked = Array.from({ length: 100 }, (_, i) =>
        askForKey(i % 2 === 0 ? one : other, {}, { id: 'nobody', secret: 'whatever-it-is' }),
      )
      const statuses = (await Promise.all(asked)).map(({ status }) => status)
      expect(statuses.filter((status) => status === 401)).toHaveLength(30)
      expect(statuses.filter((status) => status === 429)).toHaveLength(70)
    }))

  it('tell Redis names and numbers, and no key', () =>
    withInstances(redis, { rateLimit: { token: {}, redeem: {} } }, async (one) => {
      const key = await boundKey(one)
      await exchangeKey(one, key).set('DPoP', proof()).expect(200)
      const names = await redis.cli('KEYS', 'epk:limit:*')
      expect(names.split('\n').sort()).toEqual([
        expect.stringMatching(/^epk:limit:token-address:127\.0\.0\.1$/),
        'epk:limit:token-client:client ci-runner',
        expect.stringMatching(/^epk:limit:token-client:key [\w-]{27}$/),
      ])
      for (const part of key.split('.')) expect(names).not.toContain(part)
    }))

  itInAll('are forgotten with their window', () =>
    withInstances(redis, { rateLimit: { token: { limit: 1, windowMs: 300 } } }, async (one, other) => {
      await askForKey(one).expect(200)
      await until(200, () => askForKey(other))
      await pause(400)
      expect(await redis.cli('KEYS', 'epk:limit:*')).toBe('')
    }),
  )
})

describe('a Redis of limits that does not answer', () => {
  it('has every request refused with 503 in time, spends no key, and lets them pass when it is back', () =>
    withInstances(
      redis,
      { rateLimit: { token: { limit: 50 } }, timeoutSeconds: 1, keysInMemory: true },
      async (one, other) => {
        const key = await obtainKey(one)
        redis.signal('SIGSTOP')
        try {
          for (const server of [one, other]) {
            const refused = await exchangeKey(server, key)
            expect([refused.status, refused.body.error]).toEqual([503, 'temporarily_unavailable'])
            expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
            expect(server.events.at(-1)).toMatchObject({
              reason: 'store_unavailable',
              detail: expect.stringContaining('did not answer within 1 s'),
            })
          }
        } finally {
          redis.signal('SIGCONT')
        }
        await until(200, () => exchangeKey(one, key))
      },
    ))

  itInAll('is waited for when it starts again without its scripts', async () => {
    const own = await startRedis()
    try {
      await withInstances(
        own,
        { rateLimit: { token: { limit: 50 } }, timeoutSeconds: 1 },
        async (one, other) => {
          await askForKey(one).expect(200)
          await own.cli('SCRIPT', 'FLUSH')
          for (const server of [one, other]) await askForKey(server).expect(200)
          await own.close()
          for (const server of [one, other]) await askForKey(server).expect(503)
          const again = await startRedis([], own.port)
          try {
            for (const server of [one, other]) await until(200, () => askForKey(server))
          } finally {
            await again.close()
          }
        },
      )
    } finally {
      await own.close()
    }
  })

  itInAll(
    'may be down when the app starts: 503, no rejection that nobody handles, and service when it comes',
    async () => {
      const unhandled: unknown[] = []
      const note = (reason: unknown) => unhandled.push(reason)
      process.on('unhandledRejection', note)
      const gone = await startRedis()
      await gone.close()
      const { server, close } = await startBefore(gone.port)
      try {
        for (let i = 0; i < 3; i += 1) await askForKey(server).expect(503)
        const later = await startRedis([], gone.port)
        try {
          await until(200, () => askForKey(server))
          await askForKey(server).expect(200)
          await askForKey(server).expect(429)
        } finally {
          await later.close()
        }
        await until(503, () => askForKey(server))
        expect(unhandled).toEqual([])
      } finally {
        process.off('unhandledRejection', note)
        await close()
      }
    },
  )

  it('recovers though rate-limit-redis keeps the failure of a script that it could not load', async () => {
    const client = await CLIENTS.ioredis(redis)
    let isBroken = false
    const sendCommand: typeof client.sendCommand = async (command, key) => {
      if (isBroken && command[0] === 'SCRIPT') throw new Error('LOADING Redis is loading')
      return client.sendCommand(command, key)
    }
    const rateLimit = { token: { limit: 50 }, store: limitsIn(sendCommand) }
    const server = await startServer({ options: { rateLimit } })
    try {
      await askForKey(server).expect(200)
      isBroken = true
      await redis.cli('SCRIPT', 'FLUSH')
      for (let i = 0; i < 3; i += 1) await askForKey(server).expect(503)
      isBroken = false
      await askForKey(server).expect(200)
    } finally {
      await server.close()
      await client.close()
    }
  })
})

describe('a store of limits', () => {
  const counting = (answer: () => unknown) => () => ({
    increment: async () => answer() as never,
    decrement: () => undefined,
    resetKey: () => undefined,
  })

  it.each([
    ['NaN', { totalHits: Number.NaN, resetTime: undefined }],
    ['no number', { totalHits: 'many', resetTime: undefined }],
    ['none', { totalHits: 0, resetTime: undefined }],
    ['half a hit', { totalHits: 0.5, resetTime: undefined }],
    ['nothing at all', undefined],
  ])('that answers %s for a count switches no limit off', async (_, count) => {
    const rateLimit = { token: { limit: 5 }, store: counting(() => count) }
    const server = await startServer({ options: { rateLimit } })
    try {
      await askForKey(server).expect(503)
    } finally {
      await server.close()
    }
  })

  it('that answers no time until when is believed in its count', async () => {
    const reset = { resetTime: new Date(Number.NaN) }
    const rateLimit = { token: { limit: 5 }, store: counting(() => ({ totalHits: 6, ...reset })) }
    const server = await startServer({ options: { rateLimit } })
    try {
      const { headers } = await askForKey(server).expect(429)
      expect(Number(headers['retry-after'])).toBe(60)
    } finally {
      await server.close()
    }
  })

  it.each([
    ['the same prefix', () => new RedisLimits({ prefix: 'rl:', sendCommand: async () => '' })],
    ['no store', () => ({ increment: 1 }) as never],
    ['nothing', () => undefined as never],
  ])('is refused when the app is made, where it is %s', async (_, store) => {
    const made = startServer({ options: { rateLimit: { store } } })
    await expect(made).rejects.toThrow(/^rateLimit\.store: expected a store of .*, got /)
  })

  it('may be one object for nothing but one limiter', async () => {
    const [one] = [counting(() => ({ totalHits: 1, resetTime: undefined }))()]
    const made = startServer({ options: { rateLimit: { store: () => one } } })
    await expect(made).rejects.toThrow(/got the same for token-address and token-client$/)
  })
})

describeInAll('limits over a Redis Cluster', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startCluster()
  }, 60_000)
  afterAll(() => cluster?.close())
  beforeEach(() => Promise.all(cluster.servers.map(({ cli }) => cli('FLUSHALL'))))

  /** As in the documentation. */
  const STORES = {
    async 'node-redis'() {
      const client = createCluster({ rootNodes: cluster.servers.map(({ url }) => ({ url })) })
      client.on('error', () => undefined)
      await client.connect()
      const store = (name: string) =>
        new RedisLimits({
          prefix: `epk:limit:${name}:`,
          sendCommandCluster: ({ key, isReadOnly, command }) => client.sendCommand(key, isReadOnly, command),
        })
      return { store, close: () => client.destroy() }
    },
    async ioredis() {
      const client = new Cluster(cluster.servers.map(({ port }) => ({ host: '127.0.0.1', port })))
      const store = (name: string) =>
        new RedisLimits({
          prefix: `epk:limit:${name}:`,
          async sendCommand(command: string, ...args: string[]) {
            if (command !== 'SCRIPT') return (await client.call(command, ...args)) as number
            const loaded = await Promise.all(
              client.nodes('master').map((node) => node.call(command, ...args)),
            )
            return loaded[0] as string
          },
        })
      return { store, close: () => client.disconnect() }
    },
  }

  it.each(['node-redis', 'ioredis'] as const)(
    'are shared with %s, also after its scripts were lost',
    async (name) => {
      const { store, close } = await STORES[name]()
      const rateLimit = { token: { limit: 4 }, store }
      const servers: RunningServer[] = []
      try {
        for (const _ of [1, 2]) servers.push(await startServer({ options: { rateLimit } }))
        const [one, other] = servers as [RunningServer, RunningServer]
        await until(200, () => askForKey(one))
        await askForKey(other).expect(200)
        await Promise.all(cluster.servers.map(({ cli }) => cli('SCRIPT', 'FLUSH')))
        await askForKey(one).expect(200)
        await until(429, () => askForKey(other))
        await askForKey(one).expect(429)
      } finally {
        for (const server of servers) await server.close()
        close()
      }
    },
  )
})
