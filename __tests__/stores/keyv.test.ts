import { createHash, generateKeyPairSync } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Keyv } from 'keyv'
import { Keyv as Keyv6 } from 'keyv6'
import { ConfigurationError } from '../../lib/base/errors.js'
import { hashSecret } from '../../lib/base/secret.js'
import type { Client } from '../../lib/ports/client.js'
import type { UseOnceOutcome } from '../../lib/ports/store.js'
import {
  type KeyvClientRegistryOptions,
  type KeyvLike,
  keyvClientRegistry,
} from '../../lib/stores/keyv/keyv.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { sqliteDatabase } from '../support/keyv/databases'

const ALONE: KeyvClientRegistryOptions = { lock: 'process' }
const LAMP: Client = { clientId: 'lamp', revision: 1, authenticationMethods: ['private_key_jwt'] }
const NEXT: Client = { ...LAMP, revision: 2 }

function keyOf(clientId: string): string {
  return `client-${createHash('sha256').update(clientId).digest('hex')}`
}

function newKeyv(): Keyv {
  return new Keyv({ throwOnErrors: true })
}

describe('the options', () => {
  function faultsOf(keyv: unknown, options: unknown): readonly string[] {
    try {
      keyvClientRegistry(keyv as KeyvLike, options as KeyvClientRegistryOptions)
      return []
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigurationError)
      return (error as ConfigurationError).faults
    }
  }

  it('are refused with all faults together, without their values', () => {
    const faults = faultsOf(
      { get() {}, throwOnErrors: false },
      { lock: 'redis://:password@host', timeoutSeconds: 0, now: 1, loc: 1 },
    )
    expect(faults).toEqual([
      'keyv: expected a Keyv, with get, set, delete and on, got an object',
      'loc: expected a known option; did you mean lock? got an unknown name',
      expect.stringMatching(/^lock: expected the store .+, got a string of 22 characters$/),
      'timeoutSeconds: expected a number of seconds from 0.1 to 60, got 0',
      'now: expected a function that returns milliseconds since the epoch, such as Date.now, got 1',
    ])
  })

  it.each([undefined, null, 'keyv', new Map(), { get() {}, set() {}, delete() {} }])(
    'are refused without a Keyv: %p',
    (keyv) => {
      expect(faultsOf(keyv, ALONE)).toHaveLength(1)
    },
  )

  it.each([undefined, null, {}, { lock: undefined }, { lock: 'none' }, { lock: {} }])(
    'are refused without a word on the lock: %p',
    (options) => {
      expect(faultsOf(newKeyv(), options)).toEqual([expect.stringMatching(/^lock: /)])
    },
  )

  it('are refused with a Keyv that hides errors, because a failure would look like a missing client', () => {
    expect(faultsOf(new Keyv(), ALONE)).toEqual([
      expect.stringMatching(/^keyv\.throwOnErrors: expected true/),
    ])
    expect(faultsOf(newKeyv(), ALONE)).toEqual([])
    expect(faultsOf(new Keyv6(), ALONE)).toEqual([])
  })
})

describe('a stored client', () => {
  it('is ASCII, under a key that every database tells apart', async () => {
    const keyv = newKeyv()
    const registry = keyvClientRegistry(keyv, ALONE)
    await registry.save({ ...LAMP, metadata: { client_name: 'Caf\u00e9 \ud83d\udd11' } })
    const text = String(await keyv.get(keyOf('lamp')))
    expect(text).toMatch(/^[\x20-\x7e]+$/)
    expect(JSON.parse(text)).toEqual({
      format: 1,
      state: expect.stringMatching(/^[\w-]{22}$/),
      client: { ...LAMP, metadata: { client_name: 'Caf\u00e9 \ud83d\udd11' } },
    })
  })

  it('stays for ever, whatever the Keyv is set to', async () => {
    for (const keyv of [new Keyv({ throwOnErrors: true, ttl: 1 }), new Keyv6({ ttl: 1 })]) {
      const registry = keyvClientRegistry(keyv, ALONE)
      await registry.save(LAMP)
      await sleep(20)
      expect(await registry.find('lamp')).toEqual(LAMP)
    }
  })

  it('is apart from what other namespaces of one database keep', async () => {
    const store = new Map()
    const [one, other] = ['client', 'clients'].map((namespace) =>
      keyvClientRegistry(new Keyv({ store, namespace, throwOnErrors: true }), ALONE),
    )
    await one?.save(LAMP)
    expect(await other?.find('lamp')).toBeUndefined()
    expect(await other?.save(LAMP)).toBe(true)
  })

  it('holds a member called __proto__ and is not changed by it', async () => {
    const registry = keyvClientRegistry(newKeyv(), ALONE)
    const metadata = JSON.parse('{"__proto__":{"admin":true},"constructor":1}')
    await registry.save({ ...LAMP, metadata })
    const found = await registry.find('lamp')
    expect(JSON.stringify(found?.metadata)).toBe('{"__proto__":{"admin":true},"constructor":1}')
    expect(found?.metadata?.admin).toBeUndefined()
  })
})

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const PRIVATE_JWK = privateKey.export({ format: 'jwk' })
const BINDING = { bindingId: 'b', confirmation: { jkt: 'j' }, boundAt: 1, keyId: 'k' }
const TOKENS = { issuedAt: 1, scopes: [], tokens: [{ hash: 'a-token-in-clear-text', expiresAt: 1 }] }

/** Records that are no clients, and the member that is wrong. */
const STRANGE: readonly (readonly [path: string, members: Record<string, unknown>])[] = [
  ['client.color: expected one of clientId, ', { color: 'red' }],
  ['client.(a name of 9 characters): expected one of clientId, ', { 'two words': 1 }],
  ['client.revision', { revision: 0 }],
  ['client.revision', { revision: '1' }],
  ['client.authenticationMethods', { authenticationMethods: 'private_key_jwt' }],
  ['client.authenticationMethods[0]', { authenticationMethods: ['none'] }],
  ['client.secretHash', { secretHash: 'a-secret-in-clear-text' }],
  ['client.secretExpiresAt', { secretExpiresAt: null }],
  ['client.policy', { policy: [] }],
  ['client.policy.everything: expected one of scopes, ', { policy: { everything: true } }],
  ['client.policy.scopes[1]', { policy: { scopes: ['a', 1] } }],
  ['client.policy.rebinding', { policy: { rebinding: 'always' } }],
  ['client.bindings[0]', { bindings: [null] }],
  ['client.bindings[0].trusted: expected one of bindingId, ', { bindings: [{ ...BINDING, trusted: 1 }] }],
  ['client.bindings[0].jwk: expected the public key', { bindings: [{ ...BINDING, jwk: PRIVATE_JWK }] }],
  ['client.bindings[0].confirmation', { bindings: [{ ...BINDING, confirmation: undefined }] }],
  ['client.metadata', { metadata: 'lamp' }],
  ['client.metadata.jwks: expected public keys only', { metadata: { jwks: { keys: [PRIVATE_JWK] } } }],
  [
    'client.metadata.jwks: expected public keys only',
    { metadata: { jwks: { keys: [{ kty: 'oct', k: 'a' }] } } },
  ],
  ['client.registration.tokens[0].hash', { registration: TOKENS }],
  ['client.registeredBy.keyId', { registeredBy: { clientId: 'fleet' } }],
  ['client.deletedAt', { deletedAt: -1 }],
  ['client.deletedAt', { deletedAt: 1.5 }],
]

describe('a client that is not stored', () => {
  it.each(STRANGE)('%s', async (path, members) => {
    const keyv = newKeyv()
    const registry = keyvClientRegistry(keyv, ALONE)
    const saved = registry.save({ ...LAMP, ...members } as Client)
    await expect(saved).rejects.toThrow(TypeError)
    await expect(saved).rejects.toThrow(path)
    await expect(saved).rejects.not.toThrow(/clear-text/)
    expect(await keyv.get(keyOf('lamp'))).toBeUndefined()
  })

  it.each<[string, unknown]>([
    ['a date', new Date(0)],
    ['a number that is none', Number.NaN],
    ['an endless number', Number.POSITIVE_INFINITY],
    ['a big number', 1n],
    ['a set', new Set(['a'])],
    ['a list with holes', Array(2)],
    ['a function', () => 1],
    ['what writes itself', { toJSON: () => 'other' }],
    ['an object of a class', new (class Lamp {})()],
    ['bytes', Buffer.from('a')],
  ])('%s in the metadata, which would not come back as it is', async (_, value) => {
    const registry = keyvClientRegistry(newKeyv(), ALONE)
    await expect(registry.save({ ...LAMP, metadata: { deep: [{ value }] } })).rejects.toThrow(
      /client\.metadata\.deep\[0\]\.value/,
    )
  })

  it.each(['', 'caf\u00e9', 'a\n', 'x'.repeat(256)])('a client of no client id: %j', async (clientId) => {
    const registry = keyvClientRegistry(newKeyv(), ALONE)
    await expect(registry.save({ ...LAMP, clientId })).rejects.toThrow(/client\.clientId/)
  })
})

describe('a record that is damaged', () => {
  const STATE = 'x'.repeat(22)
  const whole = (members: object) => JSON.stringify({ format: 1, state: STATE, client: LAMP, ...members })

  async function refused(record: unknown) {
    const keyv = newKeyv()
    await keyv.set(keyOf('lamp'), record)
    const registry = keyvClientRegistry(keyv, ALONE)
    const verbs = [
      () => registry.find('lamp'),
      () => registry.save(LAMP),
      () => registry.save(NEXT),
      () => registry.delete('lamp'),
      () => registry.delete('lamp', 1),
    ]
    for (const verb of verbs)
      await expect(verb()).rejects.toThrow(
        /^The record of the client "lamp" is damaged, or of a newer version: (?!.*clear-text)/,
      )
    expect(await keyv.get(keyOf('lamp'))).toEqual(record)
  }

  it.each<[string, unknown]>([
    ['text', 'lamp'],
    ['cut off', whole({}).slice(0, -9)],
    ['empty', ''],
    ['a number', 7],
    ['an object of another make', { clientId: 'lamp' }],
    ['a list', '[]'],
    ['null', 'null'],
    ['of a newer format', whole({ format: 2 })],
    ['of no format', whole({ format: undefined })],
    ['with a member too many', whole({ signature: 'a' })],
    ['without a state', whole({ state: undefined })],
    ['without a client', whole({ client: undefined })],
    ['of another client', whole({ client: { ...LAMP, clientId: 'Lamp' } })],
    ...STRANGE.map(
      ([path, members]) => [path, whole({ client: { ...LAMP, ...members } })] as [string, unknown],
    ),
  ])('is refused, and neither found nor replaced: %s', (_, record) => refused(record))

  it('is refused when the database holds what no Keyv has written', async () => {
    for (const text of ['{', 'lamp']) {
      const store = new Map([[`keyv:${keyOf('lamp')}`, text]])
      const registry = keyvClientRegistry(new Keyv({ store, throwOnErrors: true }), ALONE)
      await expect(registry.find('lamp')).rejects.toThrow()
      await expect(registry.save(LAMP)).rejects.toThrow()
    }
  })

  it('is one that was copied from another client, with all its credentials', async () => {
    const keyv = newKeyv()
    const registry = keyvClientRegistry(keyv, ALONE)
    await registry.save({ ...LAMP, secretHash: hashSecret('correct-horse-battery-staple') })
    await keyv.set(keyOf('victim'), await keyv.get(keyOf('lamp')))
    await expect(registry.find('victim')).rejects.toThrow(/it is the record of another client/)
  })
})

describe('a database that fails', () => {
  /** Adapters either throw, or answer nothing and emit the error as an event. */
  const failing = {
    opts: { url: '' },
    get: async () => Promise.reject(new Error('down')),
    set: async () => Promise.reject(new Error('down')),
    delete: async () => Promise.reject(new Error('down')),
    clear: async () => undefined,
    has: async () => Promise.reject(new Error('down')),
  }

  it.each<[string, () => KeyvLike]>([
    ['Keyv 5', () => new Keyv({ store: failing, throwOnErrors: true })],
    ['Keyv 6, which never rejects', () => new Keyv6({ store: failing })],
    ['an adapter that tells of errors by events alone', quiet],
  ])('is never taken for one without the client: %s', async (_, connect) => {
    const registry = keyvClientRegistry(connect(), ALONE)
    await expect(registry.find('lamp')).rejects.toThrow()
    await expect(registry.save(LAMP)).rejects.toThrow()
    await expect(registry.delete('lamp')).rejects.toThrow()
  })

  /** Like `@keyv/redis` without `throwOnErrors`: it finds nothing, and every write seems to succeed. */
  function quiet(): KeyvLike {
    let tell: (error: unknown) => void = () => undefined
    const fail = async <T>(answer: T) => {
      tell(new Error('down'))
      return answer
    }
    return {
      get: () => fail(undefined),
      set: () => fail(true),
      delete: () => fail(true),
      on: (_, listener) => {
        tell = listener
      },
    }
  }

  it('is believed when it has an answer, whatever else goes wrong at the moment', async () => {
    let tell: (error: unknown) => void = () => undefined
    const map = new Map<string, string>()
    const keyv: KeyvLike = {
      get: async (key) => {
        tell(new Error('another connection was lost'))
        return map.get(key)
      },
      set: async (key, value) => map.set(key, value),
      delete: async (key) => map.delete(key),
      on: (_, listener) => {
        tell = listener
      },
    }
    const registry = keyvClientRegistry(keyv, ALONE)
    map.set(keyOf('lamp'), JSON.stringify({ format: 1, state: 'x'.repeat(22), client: LAMP }))
    expect(await registry.find('lamp')).toEqual(LAMP)
    await expect(registry.find('other')).rejects.toThrow('The database of clients reported an error.')
  })

  it('has saved nothing when it says so', async () => {
    const keyv = { get: async () => undefined, set: async () => false, delete: async () => true, on() {} }
    await expect(keyvClientRegistry(keyv, ALONE).save(LAMP)).rejects.toThrow(/did not save a client/)
  })

  it('has deleted nobody when it says so', async () => {
    const record = JSON.stringify({ format: 1, state: 'x'.repeat(22), client: LAMP })
    // Another program, without a registry, changes the client first.
    const keyv = { get: async () => record, set: async () => true, delete: async () => false, on() {} }
    expect(await keyvClientRegistry(keyv, ALONE).delete('lamp')).toBe(false)
  })

  it('is not waited for longer than was said', async () => {
    const never = () => new Promise<never>(() => undefined)
    const registry = keyvClientRegistry(
      { get: never, set: never, delete: never, on() {} },
      { ...ALONE, timeoutSeconds: 0.1 },
    )
    await expect(registry.find('lamp')).rejects.toThrow(/did not answer within 0\.1 s/)
    await expect(registry.save(LAMP)).rejects.toThrow(/did not answer within 0\.1 s/)
    await expect(registry.delete('lamp')).rejects.toThrow(/did not answer within 0\.1 s/)
  })
})

/** A database in memory. A test can hold its next write. */
function slowDatabase() {
  const map = new Map<string, string>()
  let hold: Promise<void> | undefined
  const writes: string[] = []
  const connect = (): KeyvLike => ({
    get: async (key) => map.get(key),
    async set(key, value) {
      const wait = hold
      hold = undefined
      await wait
      map.set(key, value)
      writes.push(value)
      return true
    },
    delete: async (key) => map.delete(key),
    on() {},
  })
  /** Holds the next write until the test releases it. */
  function holdNext(): () => void {
    let release: () => void = () => undefined
    hold = new Promise((resolve) => {
      release = resolve
    })
    return release
  }
  return { connect, holdNext, writes }
}

describe('changes of one client', () => {
  it('wait in one process until a write has really ended, though nobody waits for that any more', async () => {
    const database = slowDatabase()
    const registry = keyvClientRegistry(database.connect(), { ...ALONE, timeoutSeconds: 0.5 })
    await registry.save(LAMP)
    const release = database.holdNext()
    await expect(registry.save({ ...NEXT, metadata: { of: 'late' } })).rejects.toThrow(/within 0\.5 s/)
    const next = registry.save({ ...NEXT, metadata: { of: 'next' } })
    await sleep(50)
    release()
    // The write came late, and it counts: the next one fails, because the revision is taken.
    expect(await next).toBe(false)
    expect(await registry.find('lamp')).toEqual({ ...NEXT, metadata: { of: 'late' } })
    expect(database.writes).toHaveLength(2)
  })

  it('do not wait for ever, and not for those of other clients', async () => {
    const database = slowDatabase()
    const registry = keyvClientRegistry(database.connect(), { ...ALONE, timeoutSeconds: 0.1 })
    database.holdNext()
    await expect(registry.save(LAMP)).rejects.toThrow(/within 0\.1 s/)
    const waiting = [registry.save(LAMP), registry.delete('lamp')].map((change) =>
      expect(change).rejects.toThrow(/Another change of the client did not answer/),
    )
    expect(await registry.save({ ...LAMP, clientId: 'other' })).toBe(true)
    await Promise.all(waiting)
  })
})

describe('the lease that processes share', () => {
  it('keeps others out while its holder writes, and lets them in when the holder is gone', async () => {
    const database = slowDatabase()
    const options = { lock: memoryStore(), timeoutSeconds: 0.4 }
    const [one, other] = [1, 2].map(() => keyvClientRegistry(database.connect(), options))
    if (one === undefined || other === undefined) throw new Error('no registries')
    database.holdNext()
    // This stands for a process that is killed during its write.
    await expect(one.save({ ...LAMP, metadata: { of: 'one' } })).rejects.toThrow(/did not answer/)
    expect(await other.find('lamp')).toBeUndefined()
    expect(await other.save({ ...LAMP, metadata: { of: 'other' } })).toBe(true)
    expect(await other.find('lamp')).toEqual({ ...LAMP, metadata: { of: 'other' } })
  })

  it('is not used by a process that was stopped for so long that it may be over', async () => {
    const database = slowDatabase()
    const store = memoryStore()
    const keyv = database.connect()
    let reads = 0
    const stopped: KeyvLike = {
      ...keyv,
      on() {},
      get: async (key) => {
        reads += 1
        // The second read, under the lease, blocks like a stopped process.
        if (reads === 2) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
        return keyv.get(key)
      },
    }
    const registry = keyvClientRegistry(stopped, { lock: store, timeoutSeconds: 0.2 })
    await expect(registry.save(LAMP)).rejects.toThrow(/too much time had passed/)
    expect(database.writes).toEqual([])
  })

  it('is looked under once more, since the client may have been changed before there was one', async () => {
    const database = slowDatabase()
    const keyv = database.connect()
    const other = keyvClientRegistry(database.connect(), ALONE)
    let isFirst = true
    // Another process makes its change between the first read and the lease.
    const useOnce = async (): Promise<UseOnceOutcome> => {
      if (isFirst) await other.save({ ...LAMP, metadata: { of: 'other' } })
      isFirst = false
      return 'first'
    }
    const registry = keyvClientRegistry(keyv, { lock: { useOnce } })
    expect(await registry.save({ ...LAMP, metadata: { of: 'late' } })).toBe(false)
    expect(await registry.find('lamp')).toEqual({ ...LAMP, metadata: { of: 'other' } })
  })

  it.each<[string, () => Promise<UseOnceOutcome>, RegExp]>([
    ['does not answer', () => Promise.reject(new Error('down')), /down/],
    ['is full', async () => 'full', /is full/],
    ['is in the hands of others for too long', async () => 'used', /had a client locked for 0.6/],
  ])('changes nothing when the lock %s', async (_, useOnce, message) => {
    const database = slowDatabase()
    const registry = keyvClientRegistry(database.connect(), { lock: { useOnce }, timeoutSeconds: 0.1 })
    await expect(registry.save(LAMP)).rejects.toThrow(message)
    expect(await registry.delete('lamp')).toBe(false)
    expect(database.writes).toEqual([])
  })

  it('is not asked when it is too late, nor to find a client', async () => {
    const useOnce = () => Promise.reject(new Error('asked'))
    const registry = keyvClientRegistry(newKeyv(), { lock: { useOnce } })
    expect(await registry.find('lamp')).toBeUndefined()
    expect(await registry.save(NEXT)).toBe(false)
    expect(await registry.delete('lamp')).toBe(false)
  })

  it('tells the lock neither who the client is nor anything that is kept', async () => {
    const ids: string[] = []
    const useOnce = async (id: string): Promise<UseOnceOutcome> => {
      ids.push(id)
      return 'first'
    }
    const registry = keyvClientRegistry(newKeyv(), { lock: { useOnce } })
    await registry.save(LAMP)
    await registry.save(NEXT)
    await registry.delete('lamp')
    expect(ids).toEqual(Array(3).fill(expect.stringMatching(/^[\w-]{43}$/)))
    expect(new Set(ids).size).toBe(3)
  })
})

describe('the file of an SQLite database', () => {
  it('has hashes in it, and no secret', async () => {
    const database = sqliteDatabase()
    try {
      const registry = keyvClientRegistry(await database.connect(), ALONE)
      const secret = 'a-secret-that-is-nowhere'
      await registry.save({ ...LAMP, secretHash: hashSecret(secret) })
      const bytes = Buffer.concat(
        readdirSync(database.folder).map((name) => readFileSync(join(database.folder, name))),
      )
      expect(bytes.includes('hmac-sha256:')).toBe(true)
      expect(bytes.includes(secret)).toBe(false)
    } finally {
      await database.close()
    }
  })

  it('is read by the next program that opens it', async () => {
    const database = sqliteDatabase()
    try {
      const secretHash = hashSecret('correct-horse-battery-staple')
      await keyvClientRegistry(await database.connect(), ALONE).save({ ...LAMP, secretHash })
      await database.breakDown()
      const again = keyvClientRegistry(await database.connect(), ALONE)
      expect(await again.find('lamp')).toEqual({ ...LAMP, secretHash })
    } finally {
      await database.close()
    }
  })
})

describe('the work of a look-up', () => {
  it('is that of a usual record for a missing client, whichever client was found before', async () => {
    const registry = keyvClientRegistry(newKeyv(), ALONE)
    await registry.save({ ...LAMP, metadata: { client_name: 'x'.repeat(5_000) } })
    const parse = jest.spyOn(JSON, 'parse')
    const recordsReadFor = async (clientId: string) => {
      parse.mockClear()
      await registry.find(clientId)
      return parse.mock.calls.map(([text]) => text).filter((text) => text.startsWith('{"format":'))
    }
    try {
      const [before] = await recordsReadFor('nobody')
      expect(before?.length).toBeGreaterThan(200)
      expect(before?.length).toBeLessThan(1_000)
      expect(await recordsReadFor('lamp')).toHaveLength(1)
      expect(await recordsReadFor('nobody')).toEqual([before])
    } finally {
      parse.mockRestore()
    }
  })
})
