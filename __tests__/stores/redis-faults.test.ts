import { setTimeout as sleep } from 'node:timers/promises'
import { type RedisStore, redisStore, type SendCommand } from '../../lib/stores/redis.js'
import { layout } from '../../lib/stores/redis-layout.js'
import { keyFor, PLENTY, withStore } from '../support/redis/bench'
import { CLIENTS, CLUSTER_CLIENTS } from '../support/redis/clients'
import {
  pause,
  type RedisCluster,
  type RedisServer,
  startCluster,
  startRedis,
} from '../support/redis/servers'

const now = () => Date.now() / 1000

async function withServer(
  settings: readonly string[],
  test: (server: RedisServer) => Promise<void>,
): Promise<void> {
  const server = await startRedis(settings)
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

/** What a promise rejects with, if it does before a timer of three seconds: one that began later goes off later. */
async function rejection(promise: Promise<unknown>): Promise<string> {
  const late = new AbortController()
  const tooLate = sleep(3_000, 'nothing within 3 s', { signal: late.signal })
  const answered = promise.then(
    (answer) => `it answered ${String(answer)}`,
    (error: Error) => error.message,
  )
  return Promise.race([answered, tooLate]).finally(() => late.abort())
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 10_000; !(await holds()); await pause(20))
    if (Date.now() > deadline) throw new Error('it never came true')
}

const stateOf = async (store: RedisStore, jti: string) => (await store.find(keyFor(jti)))?.state

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster?.close())

for (const [name, connect] of Object.entries(CLIENTS)) {
  describe(`a Redis that does not answer, by ${name}`, () => {
    it('is given up in time, is not asked for more than it may owe, and is back by itself', () =>
      withServer([], (server) =>
        withStore(
          server,
          async (store, _advice, patient) => {
            await patient.record(keyFor('key'), PLENTY)
            server.signal('SIGSTOP')
            const ended: string[] = []
            const waiting = Array.from({ length: 64 }, async (_, i) => {
              ended.push(await rejection(store.find(keyFor(`${i}`))))
            })
            const refusal = 'Redis: 64 commands are unanswered already'
            expect(await rejection(store.useOnce('proof', now() + 60))).toBe(refusal)
            // At once: not after any of those that it is refused for.
            expect(ended).toEqual([])
            await Promise.all(waiting)
            expect(ended).toEqual(Array(64).fill('Redis did not answer within 0.3 s'))
            expect(await rejection(store.find(keyFor('key')))).toBe(refusal)
            server.signal('SIGCONT')
            await until(async () => (await stateOf(store, 'key').catch(() => '')) === 'issued')
          },
          { timeoutSeconds: 0.3, maxPending: 64 },
          connect,
        ),
      ))

    it('gives back a claim that it makes too late, so that the key can be redeemed', () =>
      withServer([], (server) =>
        withStore(
          server,
          async (store, _advice, patient) => {
            await patient.record(keyFor('key'), PLENTY)
            server.signal('SIGSTOP')
            const late = await rejection(store.redeem(keyFor('key'), 'one'))
            expect(late).toBe('Redis did not answer within 0.3 s')
            server.signal('SIGCONT')
            await until(async () => (await patient.redeem(keyFor('key'), 'two')) === 'claimed')
            expect(await patient.settle(keyFor('key'), 'one', now() + 60)).toBe('lost')
            expect(await patient.settle(keyFor('key'), 'two', now() + 60)).toBe('settled')
          },
          { timeoutSeconds: 0.3 },
          connect,
        ),
      ))

    it('redeems, if it settles too late, a key that nobody can redeem again', () =>
      withServer([], (server) =>
        withStore(
          server,
          async (store, _advice, patient) => {
            await patient.record(keyFor('key'), PLENTY)
            await patient.redeem(keyFor('key'), 'one')
            server.signal('SIGSTOP')
            const late = await rejection(store.settle(keyFor('key'), 'one', now() + 60))
            expect(late).toBe('Redis did not answer within 0.3 s')
            server.signal('SIGCONT')
            await until(async () => (await stateOf(patient, 'key')) === 'redeemed')
            expect(await patient.redeem(keyFor('key'), 'two')).toBe('redeemed')
          },
          { timeoutSeconds: 0.3 },
          connect,
        ),
      ))

    it('knows no key when it is killed and comes back, and serves again', async () => {
      const first = await startRedis()
      await withStore(
        first,
        async (store, _advice, patient) => {
          await patient.record(keyFor('key'), PLENTY)
          await first.close()
          expect(await rejection(store.redeem(keyFor('key'), 'one'))).not.toMatch(/^it answered|^nothing/)
          const second = await startRedis([], first.port)
          try {
            await until(async () => (await stateOf(store, 'key').catch(() => 'down')) === undefined)
            expect(await patient.redeem(keyFor('key'), 'one')).toBe('unknown')
            expect(await patient.record(keyFor('key'), PLENTY)).toBe('recorded')
          } finally {
            await second.close()
          }
        },
        { timeoutSeconds: 0.5 },
        connect,
      )
    })
  })
}

describe('a late claim that is given back', () => {
  it('is not taken from a later call of the same attempt', () =>
    withServer([], (server) =>
      withStore(server, async (store, _advice) => {
        const client = await CLIENTS.ioredis(server)
        let hold = Promise.resolve()
        const answers: string[] = []
        const slow: SendCommand = async (command, key) => {
          const answer = await client.sendCommand(command, key)
          await hold
          answers.push(String(answer))
          return answer
        }
        const held = redisStore({ sendCommand: slow, timeoutSeconds: 0.1, accept: ['persistence'] })
        await store.record(keyFor('key'), PLENTY)
        let letGo = () => {}
        hold = new Promise((resolve) => {
          letGo = resolve
        })
        expect(await rejection(held.redeem(keyFor('key'), 'one'))).toMatch('did not answer')
        await until(async () => (await store.release(keyFor('key'), 'one')) === 'released')
        expect(await store.redeem(keyFor('key'), 'one')).toBe('claimed')
        letGo()
        // First the claim is answered, and then what is to give it back.
        await until(async () => answers.some((answer) => /^(lost|released)$/.test(answer)))
        expect(answers).toContain('claimed')
        expect(await stateOf(store, 'key')).toBe('redeeming')
        await client.close()
      }),
    ))

  it('is given back when the connection breaks before the answer comes', () =>
    withServer([], (server) =>
      withStore(server, async (store) => {
        const client = await CLIENTS.ioredis(server)
        const broken: SendCommand = async (command, key) => {
          const answer = await client.sendCommand(command, key)
          if (answer === 'claimed') throw new Error('Connection is closed.')
          return answer
        }
        const breaking = redisStore({ sendCommand: broken })
        await store.record(keyFor('key'), PLENTY)
        await expect(breaking.redeem(keyFor('key'), 'one')).rejects.toThrow('Connection is closed.')
        await until(async () => (await stateOf(store, 'key')) === 'issued')
        await client.close()
      }),
    ))
})

describe('a Redis at its maxmemory', () => {
  it('takes no new key and no new proof, loses none, and lets every key be redeemed and revoked', () =>
    withServer([], (server) =>
      withStore(server, async (store) => {
        for (const jti of ['redeemed', 'released', 'revoked', 'covered', 'family']) {
          await store.record(keyFor(jti, jti === 'covered' ? { subject: 'lost' } : {}), PLENTY)
        }
        await store.redeem(keyFor('family'), 'one')
        await store.settle(keyFor('family'), 'one', now() + 60)
        await store.useOnce('proof', now() + 60)
        // Less than it needs to be there at all.
        await server.cli('CONFIG', 'SET', 'maxmemory', '500000')
        expect(await store.record(keyFor('late'), PLENTY)).toBe('full')
        expect(await store.record(keyFor('redeemed'), PLENTY)).toBe('duplicate')
        expect(await store.find(keyFor('late'))).toBeUndefined()
        expect([await store.useOnce('late', now() + 60), await store.useOnce('proof', now() + 60)]).toEqual([
          'full',
          'used',
        ])
        expect(await store.redeem(keyFor('redeemed'), 'one')).toBe('claimed')
        expect(await store.settle(keyFor('redeemed'), 'one', now() + 120)).toBe('settled')
        expect(await store.redeem(keyFor('released'), 'one')).toBe('claimed')
        expect(await store.release(keyFor('released'), 'one')).toBe('released')
        expect(await store.revoke(keyFor('revoked'))).toBe('revoked')
        expect(await store.revokeFamily(keyFor('family'))).toBe('revoked')
        const bound = { identity: 'lost', issuedBefore: now(), retainUntil: now() + 60 }
        expect(await store.revokeIssuedBefore(bound)).toBe('revoked')
        expect(await store.redeem(keyFor('covered'), 'one')).toBe('revoked')
        expect(await store.record(keyFor('late'), PLENTY)).toBe('full')
        await server.cli('CONFIG', 'SET', 'maxmemory', '0')
        expect(await store.record(keyFor('late'), PLENTY)).toBe('recorded')
      }),
    ))
})

describe('a Redis that takes no writes', () => {
  it('rejects them, and is not said to be full', () =>
    withServer(['--min-replicas-to-write', '1'], (server) =>
      withStore(server, async (store) => {
        expect(await store.find(keyFor('key'))).toBeUndefined()
        await expect(store.record(keyFor('key'), PLENTY)).rejects.toThrow('NOREPLICAS')
        await expect(store.useOnce('proof', now() + 60)).rejects.toThrow('NOREPLICAS')
        await expect(store.revokeIssuedBefore({ issuedBefore: 1, retainUntil: now() + 60 })).rejects.toThrow()
      }),
    ))
})

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
        expect.stringMatching(/keeps what it holds on disk.*save|appendonly/),
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
      expect.stringContaining('does not tell all of its settings'),
    ])
    expect(await advised(settings, { accept: ['unchecked', 'eviction'] })).toEqual([])
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

  it('is an error of check() when nobody answers', async () => {
    const silent = redisStore({ sendCommand: () => new Promise(() => undefined), timeoutSeconds: 0.05 })
    await expect(silent.check()).rejects.toThrow('Redis did not answer within 0.05 s')
    const sendCommand = () => {
      throw new Error('The client is closed')
    }
    await expect(redisStore({ sendCommand }).check()).rejects.toThrow('The client is closed')
  })
})

/** Whether a replica has, and has said that it has, all that its primary did. */
async function isInStep(primary: RedisServer, replica: RedisServer): Promise<boolean> {
  const [own, its] = await Promise.all([primary, replica].map(({ cli }) => cli('INFO', 'replication')))
  const [, done] = /master_repl_offset:(\d+)/.exec(own ?? '') ?? []
  const [, told] = /slave0:.*state=online,offset=(\d+)/.exec(own ?? '') ?? []
  return /master_link_status:up/.test(its ?? '') && Number(done) > 0 && done === told
}

describe('replicas', () => {
  for (const [name, connect] of Object.entries(CLIENTS)) {
    it(`that fall short refuse what must not get lost, and burn no key, by ${name}`, () =>
      withServer(['--repl-diskless-sync-delay', '0'], (primary) =>
        withServer(['--replicaof', `127.0.0.1 ${primary.port}`], (replica) =>
          withStore(
            primary,
            async (store, _advice, patient) => {
              await primary.cli('SET', 'something', 'to replicate')
              await until(() => isInStep(primary, replica))
              for (const jti of ['key', 'other', 'third']) await patient.record(keyFor(jti), PLENTY)
              expect(await patient.redeem(keyFor('key'), 'one')).toBe('claimed')
              expect(await replica.cli('--scan')).toContain('a-client:key')
              replica.signal('SIGSTOP')
              const short = /^Redis(: expected 1 replicas to have it, got 0| did not answer within 0.8 s)$/
              expect(await patient.record(keyFor('new'), PLENTY)).toBe('recorded')
              for (const act of [
                () => store.settle(keyFor('key'), 'one', now() + 60),
                () => store.redeem(keyFor('other'), 'one'),
                () => store.revoke(keyFor('third')),
                () => store.useOnce('proof', now() + 60),
              ]) {
                expect(await rejection(act())).toMatch(short)
              }
              await until(async () => (await stateOf(patient, 'other').catch(() => '')) === 'issued')
              replica.signal('SIGCONT')
              await until(() => isInStep(primary, replica))
              expect(await patient.redeem(keyFor('other'), 'two')).toBe('claimed')
              expect(await patient.settle(keyFor('key'), 'one', now() + 60)).toBe('lost')
              expect(await patient.revoke(keyFor('third'))).toBe('unchanged')
              const bound = { issuedBefore: 1, retainUntil: now() + 60 }
              expect(await patient.revokeIssuedBefore(bound)).toBe('revoked')
            },
            { minReplicas: 1, timeoutSeconds: 0.8 },
            connect,
          ),
        ),
      ))
  }

  describe('that are not there', () => {
    for (const [name, connect] of Object.entries(CLUSTER_CLIENTS)) {
      it(`refuse on whichever node the client lies, by ${name}`, async () => {
        const { sendCommand, close } = await connect(cluster.servers)
        const options = { sendCommand, prefix: `${name.replace(' ', '-')}:` }
        const lax = redisStore({ ...options, timeoutSeconds: 60 })
        const strict = redisStore({ ...options, minReplicas: 1, timeoutSeconds: 0.1 })
        try {
          for (const clientId of ['a', 'b', 'c', 'd', 'e', 'f']) {
            const key = keyFor('key', { clientId })
            await lax.record(key, PLENTY)
            const message = await rejection(strict.redeem(key, 'one'))
            expect(message).toMatch(/expected 1 replicas to have it, got 0|did not answer within/)
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
      const store = redisStore({ sendCommand, prefix, timeoutSeconds: 60 })
      const hasty = redisStore({ sendCommand, prefix, timeoutSeconds: 0.3 })
      const key = keyFor('key', { clientId: `mover by ${name}` })
      const other = { ...key, jti: 'other' }
      try {
        for (const one of [key, other]) await store.record(one, PLENTY)
        expect(await store.redeem(key, 'one')).toBe('claimed')
        expect(await store.settle(key, 'one', now() + 60)).toBe('settled')
        await store.revokeIssuedBefore({ identity: 'mover', issuedBefore: 1, retainUntil: now() + 60 })
        const during: string[] = []
        await moveSlot(cluster, prefix, key.clientId, async () => {
          during.push(await hasty.redeem(key, 'two').catch(() => 'rejected'))
        })
        expect(during.filter((answer) => !['redeemed', 'rejected'].includes(answer))).toEqual([])
        expect(await store.redeem(key, 'two')).toBe('redeemed')
        expect(await store.redeem(other, 'two')).toBe('claimed')
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
  const slot = (await any?.cli('CLUSTER', 'KEYSLOT', layout(prefix).marks(clientId))) ?? ''
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
      const store = redisStore({ sendCommand, timeoutSeconds: 60 })
      const ids = Array.from({ length: 600 }, (_, i) => `client-${i}`)
      await Promise.all(ids.map((clientId) => store.record(keyFor('key', { clientId }), PLENTY)))
      const grown = (await sizes()).map((size, i) => size - (before[i] ?? 0))
      expect(grown.filter((size) => size < 280 || size > 520)).toEqual([])
    } finally {
      await close()
    }
  })
})
