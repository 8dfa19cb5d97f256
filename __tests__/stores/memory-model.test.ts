import fc from 'fast-check'
import { memoryStore } from '../../lib/stores/memory.js'
import type { IssuedBefore, KeyEntry, KeyRecord, KeyRef, ProvisioningStore } from '../../lib/stores/store.js'
import { perform, START, type Step, step } from '../support/store-stories'

const MAX_KEYS = 4

interface Modelled {
  entry: KeyEntry
  holder?: string
}

/** The store as one would write it who never had to hurry: one list, looked through from end to end. */
function naiveStore(now: () => number): ProvisioningStore {
  let all: Modelled[] = []
  const revoked = naiveWatermarks(now)
  const living = () => {
    all = all.filter(({ entry }) => entry.retainUntil >= now())
    revoked.apply(all)
    return all
  }
  const one = (ref: KeyRef) =>
    living().find(({ entry }) => entry.clientId === ref.clientId && entry.jti === ref.jti)
  const open = ({ clientId }: KeyRef) =>
    living().filter(({ entry }) => entry.clientId === clientId && /^(issued|redeeming)$/.test(entry.state))
  return {
    async record(key, limits) {
      if (key.retainUntil <= now()) throw new RangeError()
      if (one(key)) return 'duplicate'
      if (revoked.covers(key)) return 'revoked'
      if (open(key).length >= limits.outstanding) return 'outstanding'
      if (living().length >= MAX_KEYS) return 'full'
      all.push({ entry: { ...key, state: 'issued', familyRevoked: false } })
      return 'recorded'
    },
    async revokeIssuedBefore(bound) {
      // What is refused touches nothing: it does not even have forgotten what a clock set back brings to light again.
      if (bound.retainUntil <= now()) throw new RangeError()
      living()
      return revoked.raise(bound)
    },
    find: async (ref) => one(ref)?.entry,
    useOnce: naiveUseOnce(now),
    ...naiveMoves(one),
  }
}

function naiveUseOnce(now: () => number): ProvisioningStore['useOnce'] {
  let used: { readonly id: string; readonly until: number }[] = []
  return async (id, until) => {
    used = used.filter((one) => one.until >= now())
    if (until <= now()) throw new RangeError()
    if (used.some((one) => one.id === id)) return 'used'
    if (used.length >= MAX_KEYS) return 'full'
    used.push({ id, until })
    return 'first'
  }
}

/** All bounds there ever were; an entry that has been touched by one stays as it was left. */
function naiveWatermarks(now: () => number) {
  let bounds: IssuedBefore[] = []
  /** When the last entry there ever was is forgotten: until then a bound holds at least. */
  let latest = 0
  const covers = ({ clientId, subject, issuedAt }: KeyRecord) =>
    bounds
      .filter(({ retainUntil, issuedBefore }) => retainUntil >= now() && issuedAt <= issuedBefore)
      .some(({ identity }) => [undefined, clientId, subject].includes(identity))
  return {
    covers,
    apply(all: readonly Modelled[]): void {
      bounds = bounds.filter((bound) => bound.retainUntil >= now())
      latest = Math.max(latest, ...all.map(({ entry }) => entry.retainUntil))
      for (const one of all.filter(({ entry }) => covers(entry))) {
        const fate = one.entry.state === 'redeemed' ? { familyRevoked: true } : { state: 'revoked' as const }
        one.entry = { ...one.entry, ...fate }
      }
    },
    raise(bound: IssuedBefore): 'revoked' | 'unchanged' {
      const same = bounds.filter(({ identity }) => identity === bound.identity)
      const issuedBefore = Math.max(bound.issuedBefore, ...same.map((one) => one.issuedBefore))
      const retainUntil = Math.max(bound.retainUntil, latest, ...same.map((one) => one.retainUntil))
      bounds = [...bounds.filter((one) => !same.includes(one)), { ...bound, issuedBefore, retainUntil }]
      return same.some((one) => one.issuedBefore >= bound.issuedBefore) ? 'unchanged' : 'revoked'
    },
  }
}

type Moves = Omit<ProvisioningStore, 'record' | 'find' | 'useOnce' | 'revokeIssuedBefore'>

function naiveMoves(one: (ref: KeyRef) => Modelled | undefined): Moves {
  function change<T extends string>(ref: KeyRef, changes: Partial<KeyEntry>, answer: T): T {
    const found = one(ref)
    if (found) found.entry = { ...found.entry, ...changes }
    return answer
  }
  function without(ref: KeyRef, attempt: string): 'unknown' | 'revoked' | 'lost' | undefined {
    const found = one(ref)
    if (!found) return 'unknown'
    if (found.entry.state === 'revoked') return 'revoked'
    return found.entry.state !== 'redeeming' || found.holder !== attempt ? 'lost' : undefined
  }
  return {
    async redeem(ref, attempt) {
      const found = one(ref)
      if (found?.entry.state !== 'issued') return found?.entry.state ?? 'unknown'
      found.holder = attempt
      return change(ref, { state: 'redeeming' }, 'claimed')
    },
    async settle(ref, attempt, until) {
      const retainUntil = Math.max(one(ref)?.entry.retainUntil ?? 0, until)
      return without(ref, attempt) ?? change(ref, { state: 'redeemed', retainUntil }, 'settled')
    },
    release: async (ref, attempt) => without(ref, attempt) ?? change(ref, { state: 'issued' }, 'released'),
    async revoke(ref) {
      const state = one(ref)?.entry.state ?? 'unknown'
      if (state === 'unknown' || state === 'redeemed') return state
      return state === 'revoked' ? 'unchanged' : change(ref, { state: 'revoked' }, 'revoked')
    },
    async revokeFamily(ref) {
      const found = one(ref)
      if (found?.entry.state !== 'redeemed') return found ? 'not_redeemed' : 'unknown'
      return found.entry.familyRevoked ? 'unchanged' : change(ref, { familyRevoked: true }, 'revoked')
    },
  }
}

// Had one of them not come up, the stories would prove less than they seem to.
const EVERY_ANSWER: Record<string, readonly string[]> = {
  find: ['object', 'undefined'],
  pass: ['undefined'],
  record: ['RangeError', 'duplicate', 'full', 'outstanding', 'recorded', 'revoked'],
  redeem: ['claimed', 'redeemed', 'redeeming', 'revoked', 'unknown'],
  release: ['lost', 'released', 'revoked', 'unknown'],
  revoke: ['redeemed', 'revoked', 'unchanged', 'unknown'],
  revokeFamily: ['not_redeemed', 'revoked', 'unchanged', 'unknown'],
  revokeIssuedBefore: ['RangeError', 'revoked', 'unchanged'],
  settle: ['lost', 'revoked', 'settled', 'unknown'],
  useOnce: ['RangeError', 'first', 'full', 'used'],
}

describe('memoryStore beside a naive model', () => {
  it('answers every random sequence of verbs and of clock moves as the model does', async () => {
    const seen = new Set<string>()
    const tellBoth = async (steps: readonly Step[]) => {
      let now = START
      const store = memoryStore({ maxKeys: MAX_KEYS, now: () => now * 1000 })
      const naive = naiveStore(() => now)
      for (const step of steps) {
        if (step.move === 'pass') now += step.seconds
        const answer = await perform(store, step, now)
        expect(answer).toEqual(await perform(naive, step, now))
        seen.add(`${step.move}: ${typeof answer === 'string' ? answer : typeof answer}`)
      }
    }
    const stories = fc.array(step, { maxLength: 100, size: 'max' })
    await fc.assert(fc.asyncProperty(stories, tellBoth), { numRuns: 1_000 })
    const every = Object.entries(EVERY_ANSWER).flatMap(([move, all]) => all.map((one) => `${move}: ${one}`))
    expect([...seen].sort()).toEqual(every.sort())
  }, 60_000)
})
