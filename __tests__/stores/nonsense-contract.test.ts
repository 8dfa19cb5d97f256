import { inspect } from 'node:util'
import { LOCK_KINDS, type Lock } from '../../lib/ports/lock.js'
import { MOST_FINDINGS } from '../../lib/ports/monitoring-store.js'
import type { KeyEntry, ProvisioningStore } from '../../lib/ports/store.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { storeContract } from '../../lib/testing/store-contract.js'
import { sampled } from '../support/scale.js'

const NONSENSE = sampled(['bogus', null, true, {}], () => 'nonsense')

type Verb = keyof ProvisioningStore

const VERBS = Object.keys(memoryStore()) as Verb[]

/** The tests that the contract declares for a store. */
function testsOf(storeAt: (now: () => number) => ProvisioningStore): readonly (() => Promise<void>)[] {
  const tests: (() => Promise<void>)[] = []
  const before = { describe: globalThis.describe, it: globalThis.it }
  Object.assign(globalThis, {
    describe: (_: string, declare: () => void) => declare(),
    it: (_: string, test: () => Promise<void>) => tests.push(test),
  })
  try {
    storeContract({
      name: 'a store',
      async create() {
        const clock = { seconds: 1_700_000_000 }
        const advance = async (by: number) => {
          clock.seconds += by
        }
        return { store: storeAt(() => clock.seconds * 1000), nowSeconds: () => clock.seconds, advance }
      },
    })
  } finally {
    Object.assign(globalThis, before)
  }
  return tests
}

const fails = (test: () => Promise<void>) =>
  test().then(
    () => false,
    () => true,
  )

/** The numbers of the contract's tests, quick ones first: a broken store fails in most of them. */
let quickFirst: readonly number[] = []

/** Whether a store fails in a test of the contract. */
async function isBroken(storeAt: (now: () => number) => ProvisioningStore): Promise<boolean> {
  const tests = testsOf(storeAt)
  for (const number of quickFirst) if (await fails(tests[number] as () => Promise<void>)) return true
  return false
}

/** A store that works, except for some answers of one verb. */
function answering(verb: Verb, nonsense: unknown, isNonsense: (count: number) => boolean) {
  let count = 0
  return (now: () => number): ProvisioningStore => {
    const store = memoryStore({ now })
    const act = store[verb] as (...args: unknown[]) => Promise<unknown>
    const odd = async (...args: unknown[]) => {
      const answer = await act(...args)
      count += 1
      return isNonsense(count) ? nonsense : answer
    }
    return { ...store, [verb]: odd }
  }
}

/** Stores that are wrong about records, locks, findings and uses in one way. */
const FAULTS: Record<string, (store: ProvisioningStore, now: () => number) => Partial<ProvisioningStore>> = {
  'forgets what a key is bound to': ({ find }) => ({
    async find(ref) {
      const { confirmation: _, ...entry } = (await find(ref)) ?? {}
      return 'jti' in entry ? (entry as KeyEntry) : undefined
    },
  }),
  'forgets the digest of claims': ({ record }) => ({
    record: ({ claimsDigest: _, ...key }, limits) => record(key, limits),
  }),
  'forgets the locks of subjects': ({ find, record, locks }) => ({
    async find(ref) {
      const entry = await find(ref)
      if (entry?.lock === undefined || entry.lock.clientId === entry.clientId) return entry
      const { lock: _, ...unlocked } = entry
      return unlocked
    },
    async record(key, limits) {
      const outcome = await record(key, limits)
      const isOwn = (await locks()).some(({ clientId }) => clientId === key.clientId)
      return outcome === 'locked' && !isOwn ? record({ ...key, subject: 'somebody else' }, limits) : outcome
    },
  }),
  'records the keys of locked clients': ({ record, unlock }) => ({
    async record(key, limits) {
      const outcome = await record(key, limits)
      if (outcome !== 'locked') return outcome
      await unlock(key.clientId)
      return record(key, limits)
    },
  }),
  'takes stepUp for a remark': ({ lock }) => ({
    lock: async (given) => (given.kind === 'stepUp' ? 'locked' : lock(given)),
  }),
  'replaces a lock by a shorter one': ({ lock, unlock }) => ({
    async lock(given) {
      const outcome = await lock(given)
      if (outcome === 'locked') return outcome
      await unlock(given.clientId)
      return lock(given)
    },
  }),
  'replaces a lock by a stronger one': ({ lock, unlock, locks }) => ({
    async lock(given) {
      const isWeaker = ({ clientId, kind }: Lock) =>
        clientId === given.clientId && LOCK_KINDS.indexOf(kind) < LOCK_KINDS.indexOf(given.kind)
      if ((await locks()).some(isWeaker)) await unlock(given.clientId)
      return lock(given)
    },
  }),
  'ends only the strongest lock': ({ lock, unlock, locks }) => ({
    async unlock(identity) {
      const own = (await locks()).filter(({ clientId }) => clientId === identity)
      const outcome = await unlock(identity)
      own.sort((one, other) => LOCK_KINDS.indexOf(one.kind) - LOCK_KINDS.indexOf(other.kind))
      for (const weaker of own.slice(0, -1)) await lock(weaker)
      return outcome
    },
  }),
  'keeps locks for good': ({ lock }, now) => ({
    lock: (given) => lock(given.until > now() ? { ...given, until: given.until + 1e6 } : given),
  }),
  'lets a throttled client have two keys': ({ record, unlock, lock, locks }) => ({
    async record(key, limits) {
      const throttle = (await locks()).find(({ clientId }) => clientId === key.clientId)
      if (throttle?.kind !== 'throttle') return record(key, limits)
      await unlock(key.clientId)
      const outcome = await record(key, { outstanding: 2 })
      await lock(throttle)
      return outcome
    },
  }),
  'lets strangers push out findings with bound evidence': ({ noteFinding }) => ({
    async noteFinding(report) {
      const noted = await noteFinding({ ...report, evidence: 'unbound' })
      return { ...noted, finding: { ...noted.finding, evidence: report.evidence } }
    },
  }),
  'lets small findings push out a severe one': ({ noteFinding, findings, closeFinding }) => ({
    async noteFinding(report) {
      const group = (await findings()).filter(({ evidence }) => evidence === report.evidence)
      const isFull = group.length >= MOST_FINDINGS && group.every(({ id }) => id !== report.id)
      if (isFull) await closeFinding(group.at(-1)?.id ?? '')
      return noteFinding(report)
    },
  }),
  'counts a report of an open finding as the only one': ({ noteFinding, closeFinding }) => ({
    async noteFinding(report) {
      const outcome = await closeFinding(report.id)
      return { ...(await noteFinding(report)), isOpened: outcome !== 'closed' }
    },
  }),
  'loses a binding when the client is used': ({ lastUses }) => ({
    lastUses: async (clientId) => (await lastUses(clientId)).slice(0, 1),
  }),
  'notes the same network twice': ({ notePresentation }) => ({
    async notePresentation(ref, network) {
      const noted = await notePresentation(ref, network)
      return noted.outcome === 'known' ? notePresentation(ref, `${network}'`) : noted
    },
  }),
  'counts the networks that it had before a call': ({ find, notePresentation }) => ({
    async notePresentation(ref, network) {
      const { networks = [] } = (await find(ref)) ?? {}
      const noted = await notePresentation(ref, network)
      return noted.outcome === 'noted' ? { ...noted, networks: networks.length + 1 } : noted
    },
  }),
}

describe('the contract of stores', () => {
  let failures = 0

  beforeAll(async () => {
    const durations: number[] = []
    for (const test of testsOf((now) => memoryStore({ now }))) {
      const start = performance.now()
      if (await fails(test)) failures += 1
      durations.push(performance.now() - start)
    }
    const duration = (number: number) => durations[number] ?? 0
    quickFirst = [...durations.keys()].sort((one, other) => duration(one) - duration(other))
  })

  it('is met by a store that does as the port says', () => {
    expect(quickFirst.length).toBeGreaterThan(200)
    expect(failures).toBe(0)
  })

  for (const verb of VERBS) {
    for (const nonsense of NONSENSE) {
      it(`is broken by one whose ${verb} answers ${inspect(nonsense)}`, async () => {
        expect(await isBroken(answering(verb, nonsense, () => true))).toBe(true)
      })
    }
  }

  for (const [fault, change] of Object.entries(FAULTS)) {
    it(`is broken by one that ${fault}`, async () => {
      const storeAt = (now: () => number) => {
        const memory = memoryStore({ now })
        return { ...memory, ...change(memory, () => now() / 1000) }
      }
      expect(await isBroken(storeAt)).toBe(true)
    })
  }

  it('is broken by one whose record answers nonsense where no test looks at the answer', async () => {
    // The first call in a test prepares a key. Most tests ignore its answer.
    const store = (now: () => number): ProvisioningStore => {
      const memory = memoryStore({ now })
      let isFirst = true
      return {
        ...memory,
        async record(key, limits) {
          const answer = await memory.record(key, limits)
          const isSetUp = isFirst && key.jti === 'key' && key.scope.length === 2
          isFirst = false
          return isSetUp ? (undefined as unknown as typeof answer) : answer
        },
      }
    }
    let broken = 0
    for (const test of testsOf(store)) if (await fails(test)) broken += 1
    expect(broken).toBeGreaterThan(200)
  })
})
