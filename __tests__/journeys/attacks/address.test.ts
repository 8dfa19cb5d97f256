import { MemoryStore } from 'express-rate-limit'
import type { ProvisioningOptions } from '../../../lib/index.js'
import { obtainKey, postForm, send } from '../../support/requests.js'
import { mountAll, type RunningServer, startServer } from '../../support/server.js'

/** A server behind a proxy that forwards the client's own `X-Forwarded-For`. */
async function behindCarelessProxy(
  options: Partial<ProvisioningOptions>,
  test: (server: RunningServer) => Promise<void>,
): Promise<void> {
  const server = await startServer({
    options,
    mount(app, keys) {
      app.set('trust proxy', 'loopback')
      mountAll(app, keys)
    },
  })
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

const from = (address: string) => ({ 'X-Forwarded-For': address, 'X-Forwarded-Proto': 'https' })

const addressesIn = (server: RunningServer) =>
  server.events.flatMap((event) => ('address' in event ? [event.address] : []))

/** A store of a rate limiter that records the name of each counter. */
function namingStore(names: string[]) {
  const store = new MemoryStore()
  const increment = store.increment.bind(store)
  return Object.assign(store, {
    increment(name: string) {
      names.push(name)
      return increment(name)
    },
  })
}

describe('an attack by X-Forwarded-For, through a proxy that passes it on', () => {
  test.each([
    ['a forged log entry', 'x" severity=none'],
    ['a name', 'localhost'],
    ['a port', '192.0.2.1:443'],
    ['a zone that is no zone', 'fe80::1%severity none'],
  ])('writes %s into no event', (_title, text) =>
    behindCarelessProxy({}, async (server) => {
      await send(server, 'get', '/devices').set('Authorization', 'Bearer x').set(from(text)).expect(401)
      expect(addressesIn(server)).toEqual([undefined])
    }),
  )

  test('writes a whole key into no event', () =>
    behindCarelessProxy({}, async (server) => {
      const key = await obtainKey(server, { scope: 'devices:read' })
      // A zone can contain all characters of a key except one.
      for (const text of [key, `fe80::1%${key.replaceAll('_', '-')}`]) {
        await send(server, 'get', '/devices')
          .set('Authorization', `Bearer ${key}`)
          .set(from(text))
          .expect(200)
        await send(server, 'get', '/devices').set(from(text)).expect(401)
      }
      // The key comes from another network than it was issued to, which is an event of its own.
      const moved = ['fe80::1', 'fe80::1', 'fe80::1']
      expect(addressesIn(server)).toEqual(['127.0.0.1', undefined, undefined, ...moved])
      expect(JSON.stringify(server.events)).not.toContain(key.slice(0, 20))
    }))

  test('makes no name in the store of a rate limiter', async () => {
    const names: string[] = []
    const limits = { token: { limit: 2 }, store: () => namingStore(names) }
    await behindCarelessProxy({ rateLimit: limits }, async (server) => {
      const ask = (text: string) => postForm(server, '/oauth/token', {}).set(from(text))
      await ask('a-secret').expect(400)
      await ask('another-secret').expect(400)
      await ask('a-third-secret').expect(429)
      await ask('192.0.2.1').expect(400)
    })
    expect(names).toEqual(['', '', '', '192.0.2.1'])
  })

  test('finds no second counter by writing one address in another way', () =>
    behindCarelessProxy({ rateLimit: { token: { limit: 2 } } }, async (server) => {
      const ask = (text: string) => postForm(server, '/oauth/token', {}).set(from(text))
      await ask('192.0.2.1').expect(400)
      await ask('::FFFF:192.0.2.1').expect(400)
      await ask('0:0:0:0:0:ffff:c000:201').expect(429)
      expect(addressesIn(server)).toEqual(['192.0.2.1', '192.0.2.1', '192.0.2.1'])
    }))

  test('passes no networks of a policy', async () => {
    const policy = { scopes: ['devices:create', 'devices:read'], networks: ['192.0.2.0/24', 'fe80::/10'] }
    const clients = [{ clientId: 'ci-runner', clientSecret: 'correct-horse-battery-staple' }]
    await behindCarelessProxy({ policy, clients }, async (server) => {
      const key = await obtainKey(server, { scope: 'devices:read' })
      const present = (text: string) =>
        send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`).set(from(text))
      for (const text of ['192.0.2.1', '::ffff:192.0.2.1', 'fe80::1%eth0']) await present(text).expect(200)
      for (const text of ['198.51.100.1', '192.0.2.1 x', '192.0.2.0/24', key]) await present(text).expect(401)
    })
  })
})
