import { redisStore } from '../../lib/stores/redis/redis.js'
import { layout } from '../../lib/stores/redis/redis-layout.js'
import { HOLDER, keyFor, OVER, PATIENCE_SECONDS, PLENTY, rejection, until } from '../support/redis/bench'
import { CLUSTER_CLIENTS } from '../support/redis/clients'
import { type RedisCluster, startCluster } from '../support/redis/servers'

const now = () => Date.now() / 1000

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster?.close())

describe('replicas', () => {
  describe('that are not there', () => {
    for (const [name, connect] of Object.entries(CLUSTER_CLIENTS)) {
      it(`refuse on whichever node the client lies, by ${name}`, async () => {
        const { sendCommand, close } = await connect(cluster.servers)
        const options = { sendCommand, prefix: `${name.replace(' ', '-')}:` }
        const lax = redisStore({ ...options, timeoutSeconds: PATIENCE_SECONDS })
        const strict = redisStore({ ...options, minReplicas: 1, timeoutSeconds: 0.1 })
        try {
          for (const clientId of ['a', 'b', 'c', 'd', 'e', 'f']) {
            const key = keyFor('key', { clientId })
            await lax.record(key, PLENTY)
            const { message } = await rejection(strict.redeem(key, 'one'))
            expect(message).toMatch(/0 replicas have confirmed|did not answer within/)
            await until(async () => (await lax.find(key))?.state === 'issued')
          }
        } finally {
          await close()
        }
      })
    }
  })
})

describe('a slot that is moved to another primary', () => {
  for (const [name, connect] of Object.entries(CLUSTER_CLIENTS)) {
    it(`loses nothing, and lets nothing pass meanwhile, by ${name}`, async () => {
      const { sendCommand, close } = await connect(cluster.servers)
      const prefix = `${name.replace(' ', '-')}-moved:`
      const store = redisStore({ sendCommand, prefix, timeoutSeconds: PATIENCE_SECONDS })
      // While a slot moves, there may be no answer.
      const hasty = redisStore({ sendCommand, prefix, timeoutSeconds: 0.3 })
      const key = keyFor('key', { clientId: `mover by ${name}` })
      const other = { ...key, jti: 'other' }
      try {
        for (const one of [key, other]) await store.record(one, PLENTY)
        expect(await store.redeem(key, 'one', OVER)).toBe('reserved')
        expect(await store.settle(key, 'one', now() + 60, { outcome: 'sealed' })).toBe('settled')
        await store.revokeIssuedBefore({ identity: 'mover', issuedBefore: 1, retainUntil: now() + 60 })
        const during: string[] = []
        await moveSlot(cluster, prefix, key.clientId, async () => {
          during.push(await hasty.redeem(key, 'two', OVER).catch(() => 'rejected'))
          const recalled = await hasty.recall(key, HOLDER).catch(() => ({ outcome: 'rejected' }))
          during.push(`recalled ${recalled?.outcome}`)
        })
        const fair = ['redeemed', 'rejected', 'recalled sealed', 'recalled rejected']
        expect(during.filter((answer) => !fair.includes(answer))).toEqual([])
        expect((await store.recall(key, HOLDER))?.outcome).toBe('sealed')
        expect(await store.redeem(key, 'two')).toBe('redeemed')
        expect(await store.redeem(other, 'two')).toBe('reserved')
        expect(await store.settle(other, 'two', now() + 60)).toBe('settled')
      } finally {
        await close()
      }
    })
  }
})

/** Moves the slot of a client to the next primary, one key after another. */
async function moveSlot(
  { servers }: RedisCluster,
  prefix: string,
  clientId: string,
  between: () => Promise<void>,
): Promise<void> {
  const [any] = servers
  const slot = (await any?.cli('CLUSTER', 'KEYSLOT', layout(prefix).ofClient(clientId).notBefore)) ?? ''
  const counts = await Promise.all(servers.map(({ cli }) => cli('CLUSTER', 'COUNTKEYSINSLOT', slot)))
  const from = counts.findIndex((count) => Number(count) > 0)
  const [source, target] = [servers[from], servers[(from + 1) % servers.length]]
  if (source === undefined || target === undefined) throw new Error('no primary holds the slot')
  const [sourceId, targetId] = await Promise.all([source, target].map(({ cli }) => cli('CLUSTER', 'MYID')))
  await target.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId ?? '')
  await source.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId ?? '')
  await between()
  const names = (await source.cli('CLUSTER', 'GETKEYSINSLOT', slot, '1000')).split('\n')
  for (const moved of names.sort()) {
    await source.cli('MIGRATE', '127.0.0.1', String(target.port), moved, '0', '5000')
    await between()
  }
  for (const { cli } of [target, source, ...servers])
    await cli('CLUSTER', 'SETSLOT', slot, 'NODE', targetId ?? '')
}

describe('clients in a cluster', () => {
  it('are spread over its primaries', async () => {
    const { sendCommand, close } = await CLUSTER_CLIENTS['ioredis cluster'](cluster.servers)
    const sizes = async () => Promise.all(cluster.servers.map(async ({ cli }) => Number(await cli('DBSIZE'))))
    try {
      const before = await sizes()
      const store = redisStore({ sendCommand, timeoutSeconds: PATIENCE_SECONDS })
      const ids = Array.from({ length: 600 }, (_, i) => `client-${i}`)
      await Promise.all(ids.map((clientId) => store.record(keyFor('key', { clientId }), PLENTY)))
      const grown = (await sizes()).map((size, i) => size - (before[i] ?? 0))
      expect(grown.filter((size) => size < 280 || size > 520)).toEqual([])
    } finally {
      await close()
    }
  })
})
