import { request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { memoryStore, type ProvisioningStore, provisioningKeyVerifier } from '../../../lib/index.js'
import { redisStore } from '../../../lib/stores/redis/redis.js'
import { CLIENTS, CLUSTER_CLIENTS } from '../../support/redis/clients'
import { withInstances } from '../../support/redis/instances'
import { startCluster, startRedis } from '../../support/redis/servers'
import { askForKey, obtainKey, postForm, send } from '../../support/requests'
import { itInAll } from '../../support/scale.js'
import { AUDIENCE, CLIENT, ISSUER, type RunningServer, SECRET, startServer } from '../../support/server'

async function withReadiness(
  test: (server: RunningServer) => Promise<void>,
  store: ProvisioningStore = memoryStore(),
): Promise<void> {
  const server = await startServer({
    options: { store },
    mount(app, keys) {
      app.get('/ready', keys.readiness())
      app.use(keys.enforceHttps())
      app.use(keys.router())
    },
  })
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

/** A store with another `release`, the verb that readiness calls. */
function withRelease(release: ProvisioningStore['release']): ProvisioningStore {
  return { ...memoryStore(), release }
}

async function until(status: number, server: RunningServer): Promise<void> {
  for (const deadline = Date.now() + 20_000; ; await pause(100)) {
    const got = await send(server, 'get', '/ready')
    if (got.status === status) return
    if (Date.now() > deadline) throw new Error(`expected ${status} in time, got ${got.status}`)
  }
}

function overHttp(port: number, path: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, headers }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0))
    })
      .once('error', reject)
      .end()
  })
}

describe('readiness', () => {
  it('says yes in so many words, which nobody may cache', () =>
    withReadiness(async (server) => {
      const { headers } = await send(server, 'get', '/ready').expect(200, '{"ready":true}')
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'content-type': 'application/json',
        'strict-transport-security': expect.stringContaining('max-age='),
      })
      await send(server, 'head', '/ready').expect(200)
      expect(await server.keys.isReady()).toBe(true)
    }))

  it('says no once it is drained, while everything is served as before', () =>
    withReadiness(async (server) => {
      const key = await obtainKey(server)
      server.keys.drain()
      await send(server, 'get', '/ready').expect(503, '{"ready":false}')
      expect(await server.keys.isReady()).toBe(false)
      await askForKey(server).expect(200)
      const { body } = await postForm(server, '/oauth/introspect', { token: key }).auth(CLIENT, SECRET)
      expect(body.active).toBe(true)
      server.keys.drain()
      await send(server, 'get', '/ready').expect(503)
    }))

  it.each([
    ['rejects', () => Promise.reject(new Error('the password of Redis is wrong: hunter2'))],
    [
      'throws',
      () => {
        throw new Error('hunter2')
      },
    ],
    ['never answers', () => new Promise<never>(() => undefined)],
  ])('says no, and nothing else, while the store %s', (_, release) =>
    withReadiness(async (server) => {
      const { text } = await send(server, 'get', '/ready').expect(503)
      expect(text).toBe('{"ready":false}')
    }, withRelease(release)),
  )

  it('asks the store once for any number of probes', () => {
    const asked: string[] = []
    const release: ProvisioningStore['release'] = async ({ clientId }) => {
      asked.push(clientId)
      return 'unknown'
    }
    return withReadiness(async (server) => {
      await Promise.all(Array.from({ length: 50 }, () => send(server, 'get', '/ready').expect(200)))
      // Once a second. A slow machine needs more than a second for fifty requests.
      expect(asked.length).toBeLessThanOrEqual(4 * 10)
      expect(new Set(asked).size).toBe(4)
    }, withRelease(release))
  })

  it('is told over cleartext to a probe that carries nothing', () =>
    withReadiness(async (server) => {
      const port = await server.openHttp()
      expect(await overHttp(port, '/ready')).toBe(200)
      expect(await overHttp(port, '/ready', { Authorization: 'Basic abc' })).toBe(403)
      expect(await overHttp(port, '/ready?access_token=abc')).toBe(403)
      expect(await overHttp(port, '/ready', { 'Content-Length': '0' })).toBe(200)
      expect(await overHttp(port, '/ready', { 'Transfer-Encoding': 'chunked' })).toBe(403)
      expect(await overHttp(port, '/elsewhere')).toBe(403)
    }))

  it('revokes a key that is sent to it in cleartext', () =>
    withReadiness(async (server) => {
      const port = await server.openHttp()
      const key = await obtainKey(server)
      expect(await overHttp(port, '/ready', { Authorization: `Bearer ${key}` })).toBe(403)
      for (const deadline = Date.now() + 10_000; Date.now() < deadline; await pause(20))
        if (server.events.some(({ type }) => type === 'key.exposed')) break
      expect(server.events.at(-1)).toMatchObject({ type: 'key.exposed', revoked: true })
    }))

  it.concurrent('is no when Redis dies, and yes when it is back', async () => {
    const redis = await startRedis()
    try {
      await withInstances(redis, {}, async (one, other) => {
        for (const server of [one, other]) await until(200, server)
        await redis.close()
        for (const server of [one, other]) await until(503, server)
        const again = await startRedis([], redis.port)
        try {
          for (const server of [one, other]) await until(200, server)
          await askForKey(one).expect(200)
        } finally {
          await again.close()
        }
      })
    } finally {
      await redis.close()
    }
  })

  it.concurrent('is no while Redis hangs', async () => {
    const redis = await startRedis()
    try {
      await withInstances(redis, {}, async (one) => {
        redis.signal('SIGSTOP')
        await until(503, one)
        redis.signal('SIGCONT')
        await until(200, one)
      })
    } finally {
      await redis.close()
    }
  })

  it.concurrent('is no while Redis answers but accepts no writes', async () => {
    const redis = await startRedis()
    try {
      await withInstances(redis, {}, async (one, other) => {
        const refusals = [
          [
            ['REPLICAOF', '127.0.0.1', '1'],
            ['REPLICAOF', 'NO', 'ONE'],
          ],
          [
            ['CONFIG', 'SET', 'min-replicas-to-write', '1'],
            ['CONFIG', 'SET', 'min-replicas-to-write', '0'],
          ],
        ] as const
        for (const [refuse, accept] of refusals) {
          for (const server of [one, other]) await until(200, server)
          await redis.cli(...refuse)
          for (const server of [one, other]) await until(503, server)
          await redis.cli(...accept)
          for (const server of [one, other]) await until(200, server)
        }
        await redis.cli('CONFIG', 'SET', 'maxmemory', '1')
        for (const server of [one, other]) expect(await server.keys.isReady()).toBe(true)
        await askForKey(one).expect(503)
        for (const server of [one, other]) expect(await server.keys.isReady()).toBe(true)
      })
    } finally {
      await redis.close()
    }
  })

  itInAll(
    'is true while one primary of a cluster is down, because the others can serve their clients',
    async () => {
      const cluster = await startCluster()
      const client = await CLUSTER_CLIENTS['ioredis cluster'](cluster.servers)
      try {
        for (const { cli } of cluster.servers)
          await cli('CONFIG', 'SET', 'cluster-require-full-coverage', 'no')
        for (const server of cluster.servers) {
          server.signal('SIGSTOP')
          const store = redisStore({ sendCommand: client.sendCommand, advise: () => undefined })
          await withReadiness(async ({ keys }) => expect(await keys.isReady()).toBe(true), store)
          server.signal('SIGCONT')
        }
      } finally {
        await client.close()
        await cluster.close()
      }
    },
    60_000,
  )
})

describe('the readiness of an API', () => {
  const common = { issuer: ISSUER, audience: AUDIENCE, jwks: `${ISSUER}/oauth/jwks` }

  it('asks the store that it shares', async () => {
    const redis = await startRedis()
    const client = await CLIENTS.ioredis(redis)
    try {
      const store = redisStore({ sendCommand: client.sendCommand })
      const verifier = provisioningKeyVerifier({ ...common, store })
      expect(await verifier.isReady()).toBe(true)
      verifier.drain()
      expect(await verifier.isReady()).toBe(false)
    } finally {
      await client.close()
      await redis.close()
    }
  })

  it('does not ask an issuer elsewhere', async () => {
    const introspection = { clientId: 'an-api', clientSecret: SECRET }
    const fetch = () => Promise.reject(new Error('nobody is there'))
    const verifier = provisioningKeyVerifier({ ...common, introspection, fetch })
    expect(await verifier.isReady()).toBe(true)
    verifier.drain()
    expect(await verifier.isReady()).toBe(false)
  })
})
