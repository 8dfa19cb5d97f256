import { setTimeout } from 'node:timers/promises'
import { redisStore, type SendCommand } from '../../lib/stores/redis/redis.js'
import { keyFor, until, withServer, withStore } from '../support/redis/bench'
import { CLIENTS } from '../support/redis/clients'
import { startRedis } from '../support/redis/servers'
import { itInAll } from '../support/scale.js'

describe('what redisStore says of a Redis', () => {
  const advised = async (settings: readonly string[], options = {}) => {
    let told: readonly string[] = []
    let again: readonly string[] = []
    await withServer(settings, (server) =>
      withStore(
        server,
        async (store, advice) => {
          await store.find(keyFor('key'))
          await store.find(keyFor('key'))
          again = await store.check()
          told = advice
        },
        options,
      ),
    )
    expect(told).toEqual(again)
    return told
  }
  const PERSISTENT = [
    ['--save', '3600 1'],
    ['--appendonly', 'yes'],
  ]

  it('is nothing when it keeps all in memory and evicts nothing', async () => {
    expect(await advised([])).toEqual([])
  })

  for (const settings of PERSISTENT) {
    it(`is that it keeps keys on disk, once, with ${settings.join(' ')}`, async () => {
      expect(await advised(settings)).toEqual([
        expect.stringMatching(/saves its data to disk.*save|appendonly/),
      ])
      expect(await advised(settings, { accept: ['persistence'] })).toEqual([])
    })
  }

  for (const policy of ['allkeys-lru', 'volatile-ttl']) {
    it(`is that it may forget what it holds, with ${policy}`, async () => {
      const settings = ['--maxmemory-policy', policy]
      expect(await advised(settings)).toEqual([expect.stringContaining(`(maxmemory-policy ${policy})`)])
      expect(await advised(settings, { accept: ['eviction', 'persistence'] })).toEqual([])
    })
  }

  it('is that it does not tell, where CONFIG is forbidden, and what INFO tells all the same', async () => {
    const settings = ['--rename-command', 'CONFIG', '', '--maxmemory-policy', 'allkeys-lfu']
    expect(await advised(settings)).toEqual([
      expect.stringContaining('(maxmemory-policy allkeys-lfu)'),
      expect.stringContaining('does not show all of its settings'),
    ])
    expect(await advised(settings, { accept: ['unchecked', 'eviction'] })).toEqual([])
  })

  it('is that too few replicas confirm changes, whatever is accepted', async () => {
    const short = /^minReplicas is 1, but the number of replicas that confirm changes is 0\./
    const options = { minReplicas: 1, accept: ['persistence', 'eviction', 'unchecked'] } as const
    expect(await advised([], options)).toEqual([expect.stringMatching(short)])
    const forbidden = ['--rename-command', 'WAIT', '']
    expect(await advised(forbidden, options)).toEqual([expect.stringMatching(short)])
    await withServer(['--repl-diskless-sync-delay', '0'], (primary) =>
      withServer(['--replicaof', `127.0.0.1 ${primary.port}`], () =>
        withStore(primary, (store) => until(async () => (await store.check()).length === 0), options),
      ),
    )
  })

  it('is that it is too old, whatever is accepted', async () => {
    const versions = { '6.0.16': 1, '5.0.7': 1, '6.2.0': 0, '7.0.15': 0, '8.2.1': 0, '10.0.0': 0 }
    for (const [version, count] of Object.entries(versions)) {
      const told: string[] = []
      const sendCommand: SendCommand = async ([name, ...args]) =>
        name === 'INFO' && args[0] === 'server' ? `# Server\r\nredis_version:${version}\r\n` : ''
      const store = redisStore({ sendCommand, advise: (one) => told.push(one), accept: ['unchecked'] })
      await store.check()
      expect(told).toHaveLength(count)
      if (count > 0) expect(told).toEqual([`Redis 6.2 or newer is needed; this is Redis ${version}.`])
    }
  })

  itInAll('is that it has restarted, once for each restart', async () => {
    const told: string[] = []
    let server = await startRedis()
    const { port } = server
    const client = await CLIENTS.ioredis(server)
    const store = redisStore({ sendCommand: client.sendCommand, advise: (one) => told.push(one) })
    const answers = async () => (await store.find(keyFor('key')).catch(() => 'failed')) === undefined
    try {
      await store.find(keyFor('key'))
      await server.cli('SCRIPT', 'FLUSH')
      await store.revoke(keyFor('key'))
      expect(told).toEqual([])
      for (const count of [1, 2]) {
        await setTimeout(3_200)
        await server.close()
        server = await startRedis([], port)
        await until(answers)
        await Promise.all([store.revoke(keyFor('a')), store.release(keyFor('b'), 'one'), store.locks()])
        await until(async () => told.length === count)
      }
      expect(new Set(told)).toEqual(
        new Set([expect.stringMatching(/^Redis has restarted\. If it has no data/)]),
      )
    } finally {
      await client.close()
      await server.close()
    }
  })

  it('is a process warning by default', async () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    await withServer(['--maxmemory-policy', 'allkeys-random'], async (server) => {
      const client = await CLIENTS.ioredis(server)
      await redisStore({ sendCommand: client.sendCommand }).check().finally(client.close)
    })
    const calls = [...emitWarning.mock.calls]
    emitWarning.mockRestore()
    const named = { type: 'ProvisioningKeysWarning', code: 'EPK_REDIS' }
    expect(calls).toEqual([[expect.stringContaining('allkeys-random'), named]])
  })

  it('is an error of check() when it accepts no changes, as a read-only replica', () =>
    withServer([], (server) =>
      withStore(server, async (store) => {
        expect(await store.check()).toEqual([])
        await server.cli('REPLICAOF', '127.0.0.1', '1')
        expect(await store.find(keyFor('key'))).toBeUndefined()
        await expect(store.check()).rejects.toThrow('READONLY')
      }),
    ))

  it('is an error of check() when nobody answers', async () => {
    const silent = redisStore({ sendCommand: () => new Promise(() => undefined), timeoutSeconds: 0.05 })
    await expect(silent.check()).rejects.toThrow('Redis did not answer within 0.05 s')
    const sendCommand = () => {
      throw new Error('The client is closed')
    }
    await expect(redisStore({ sendCommand }).check()).rejects.toThrow('The client is closed')
  })
})
