import fc from 'fast-check'
import type { KeyRecord, KeyRef, KeyState, LockKind, ProvisioningStore } from '../../lib/ports/store.js'

/** The time at which each story begins. */
export const START = 1_700_000_000

/** One step of a random story: a verb, or a change of the clock, also backwards. */
export const step = fc.record({
  move: fc.constantFrom(
    ...(['record', 'record', 'record', 'redeem', 'redeem', 'redeem', 'settle', 'settle', 'release'] as const),
    ...([
      'revoke',
      'revokeFamily',
      'revokeFamily',
      'find',
      'recall',
      'recall',
      'useOnce',
      'useOnce',
    ] as const),
    ...(['pass', 'revokeIssuedBefore', 'lock', 'unlock', 'notePresentation'] as const),
    ...(['locks', 'noteFinding', 'findings', 'closeFinding', 'noteUse', 'lastUses', 'unusedSince'] as const),
    ...(['listKeys', 'countKeys', 'listUses'] as const),
  ),
  ref: fc.record({ clientId: fc.constantFrom('a', '__proto__'), jti: fc.constantFrom('1', '2', '3') }),
  attempt: fc.constantFrom('one', 'one', 'other'),
  seconds: fc.integer({ min: -3, max: 12 }),
  passing: fc.integer({ min: -2, max: 5 }),
  outstanding: fc.integer({ min: 0, max: 3 }),
  issuedAt: fc.integer({ min: START - 3, max: START + 12 }),
  subject: fc.constantFrom('device', 'a'),
  identity: fc.constantFrom(undefined, 'a', '__proto__', 'device'),
  holder: fc.constantFrom(undefined, 'ours', 'ours', 'ours', 'others'),
  leaseSeconds: fc.constantFrom<number>(1, 1, 6, 0),
  kind: fc.constantFrom<LockKind>('throttle', 'stepUp', 'lock'),
  isBound: fc.boolean(),
  settlement: fc.constantFrom(undefined, {}, { outcome: 'sealed' }, { outcome: '', familyClientId: 'b' }),
})

export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** A story of rare events: three keys of one client, and then so many of another that a small store is full. */
export const SELDOM = (
  [
    ['a', '1', 'record', 'redeem', 'settle', 'recall', 'revokeFamily', 'revokeFamily', 'revoke', 'recall'],
    ['a', '2', 'record', 'redeem', 'revoke', 'revoke', 'settle', 'release', 'redeem', 'revokeFamily'],
    ['a', '3', 'record', 'redeem', 'recall', 'pass', 'redeem', 'settle', 'recall', 'redeem'],
    ['__proto__', '1', 'record', 'redeem', 'release'],
    ['__proto__', '2', 'record'],
  ] as [Step['ref']['clientId'], Step['ref']['jti'], ...Step['move'][]][]
).flatMap(([clientId, jti, ...moves]) =>
  moves.map((move): Step => {
    const times = { seconds: 12, passing: 2, issuedAt: START, leaseSeconds: 1 }
    const claim = { attempt: 'one', holder: 'ours', settlement: { outcome: 'sealed' } } as const
    const who = { ref: { clientId, jti }, subject: 'device', identity: undefined } as const
    return { move, ...who, ...times, ...claim, outstanding: 3, kind: 'throttle', isBound: false }
  }),
)

/** A clock that was ahead goes back to a time before the end of an identifier that the store has forgotten. */
export const CLOCK_GOES_BACK = (
  [
    ['useOnce', 4],
    ['pass', 5],
    ['find', 0],
    ['pass', -2],
    ['useOnce', 1],
  ] as const
).map(([move, seconds]): Step => ({ ...(SELDOM[0] as Step), move, seconds, passing: seconds }))

/** Performs a step and returns the answer of the store. */
export function perform(store: ProvisioningStore, step: Step, now: number): Promise<unknown> {
  const { move, ref, attempt, seconds, outstanding, issuedAt, subject, identity, holder } = step
  switch (move) {
    case 'record':
      return store
        .record(recordOf({ ...ref, subject, issuedAt }, now + seconds, step.isBound), { outstanding })
        .catch((error) => error.name)
    case 'settle':
      return store.settle(ref, attempt, now + 2 * seconds, step.settlement)
    case 'redeem': {
      const holding = holder === undefined ? [] : [{ ownerId: holder, leaseSeconds: step.leaseSeconds }]
      return store.redeem(ref, attempt, ...holding).catch((error) => error.name)
    }
    case 'recall':
      return store.recall(ref, holder ?? '')
    case 'useOnce':
      return useOnceOf(store, step, now).catch((error) => error.name)
    case 'revokeIssuedBefore': {
      const bound = { issuedBefore: issuedAt, retainUntil: now + seconds }
      return store
        .revokeIssuedBefore(identity === undefined ? bound : { ...bound, identity })
        .catch((error) => error.name)
    }
    case 'release':
      return store.release(ref, attempt)
    case 'pass':
      return Promise.resolve()
    default:
      return move === 'revoke' || move === 'revokeFamily' || move === 'find'
        ? store[move](ref)
        : monitor(store, step, now)
  }
}

/** Without an owner, for a client, or for a key. Each client has its own identifiers, which a store may separate. */
function useOnceOf(store: ProvisioningStore, { ref, attempt, seconds, holder }: Step, now: number) {
  const id = `${ref.clientId} ${ref.jti} ${attempt}`
  if (holder === undefined) return store.useOnce(`nobody's ${id}`, now + seconds)
  return store.useOnce(id, now + seconds, holder === 'ours' ? ref : { clientId: ref.clientId })
}

/** The kind of an answer: of a text, its first word. */
export function kindOf(answer: unknown): string {
  if (typeof answer === 'string') return answer.split(' ', 1)[0] ?? ''
  if (Array.isArray(answer)) return answer.length === 0 ? 'none' : 'some'
  return typeof answer === 'object' && answer !== null && 'outcome' in answer ? 'outcome' : typeof answer
}

function recordOf(
  given: Pick<KeyRecord, keyof KeyRef | 'subject' | 'issuedAt'>,
  retainUntil: number,
  isBound: boolean,
): KeyRecord {
  const bound = isBound ? { confirmation: { jkt: 'a-thumbprint' } } : {}
  return { ...given, ...bound, scope: ['read'], audience: 'urn:api', expiresAt: retainUntil, retainUntil }
}

/** A step of monitoring. Lists are sorted, because the port leaves their order open. */
function monitor(store: ProvisioningStore, step: Step, now: number): Promise<unknown> {
  const { ref, seconds, subject, issuedAt: at, attempt } = step
  const until = now + seconds
  switch (step.move) {
    case 'notePresentation':
      return store.notePresentation(ref, attempt).then(({ outcome, networks }) => `${outcome} ${networks}`)
    case 'lock': {
      const words = { kind: step.kind, reason: attempt, author: 'operator' }
      return store.lock({ clientId: subject, ...words, lockedAt: at, until }).catch((error) => error.name)
    }
    case 'unlock':
      return store.unlock(subject)
    case 'locks':
      return store.locks().then(sorted)
    case 'noteFinding': {
      const words = { rule: 'replay', severity: 'high', evidence: 'bound', subject: 'client:a' } as const
      const report = {
        id: ref.jti,
        ...words,
        count: 2,
        firstAt: at,
        lastAt: at,
        samples: [],
        actions: [],
        until,
      }
      return store.noteFinding(report).catch((error) => error.name)
    }
    case 'findings':
      return store.findings()
    case 'closeFinding':
      return store.closeFinding(ref.jti)
    case 'noteUse': {
      const binding = attempt === 'one' ? {} : { bindingId: 'laptop' }
      return store
        .noteUse({ clientId: subject, ...binding, lastUsedAt: at, until })
        .catch((error) => error.name)
    }
    case 'lastUses':
      return store.lastUses(subject).then(sorted)
    case 'listKeys':
      return listKeys(store, step)
    case 'countKeys':
      return store.countKeys()
    case 'listUses':
      return listUses(store)
    default:
      // Those with the same time may come in any order, so all of them are listed.
      return store.unusedSince(at, 100).then(sorted)
  }
}

function sorted(list: readonly object[]): readonly object[] {
  return [...list].sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1))
}

/** All pages of two keys each: of a client, in a state, or of everybody. Those of the same time may come in any order. */
async function listKeys(store: ProvisioningStore, step: Step): Promise<readonly object[]> {
  const { ref, subject, isBound, settlement } = step
  const state: KeyState | undefined = settlement === undefined ? undefined : isBound ? 'revoked' : 'redeemed'
  const query = { limit: 2, ...(subject === 'a' && { clientId: ref.clientId }), ...(state && { state }) }
  const listed = await allPages(async (after) => {
    const { keys, next } = await store.listKeys({ ...query, ...after })
    return { list: keys, next }
  })
  return inOrder(listed, ({ issuedAt }) => issuedAt)
}

async function listUses(store: ProvisioningStore): Promise<readonly object[]> {
  const listed = await allPages(async (after) => {
    const { uses, next } = await store.listUses({ limit: 1, ...after })
    return { list: uses, next }
  })
  return inOrder(listed, ({ lastUsedAt }) => lastUsedAt)
}

type ReadPage<T> = (after: { after?: string }) => Promise<{ list: readonly T[]; next: string | undefined }>

async function allPages<T>(read: ReadPage<T>): Promise<readonly T[]> {
  const all: T[] = []
  let after: { after?: string } | undefined = {}
  while (after !== undefined) {
    const { list, next }: Awaited<ReturnType<ReadPage<T>>> = await read(after)
    all.push(...list)
    after = next === undefined ? undefined : { after: next }
  }
  return all
}

/** @throws Error when the latest one is not the first */
function inOrder<T extends object>(list: readonly T[], timeOf: (one: T) => number): readonly object[] {
  const times = list.map(timeOf)
  if (times.some((time, i) => time > (times[i - 1] ?? time))) throw new Error('a list is out of order')
  return sorted(list)
}

/** Without one of these answers of `memoryStore`, the stories would test less than they seem to. */
export const EVERY_ANSWER: readonly string[] = Object.entries({
  find: ['object', 'undefined'],
  pass: ['undefined'],
  record: ['RangeError', 'duplicate', 'full', 'locked', 'outstanding', 'recorded', 'revoked', 'unbound'],
  recall: ['object', 'outcome', 'undefined'],
  redeem: ['RangeError', 'reserved', 'redeemed', 'redeeming', 'resumed', 'revoked', 'unknown'],
  release: ['lost', 'released', 'revoked', 'unknown'],
  revoke: ['redeemed', 'revoked', 'unchanged', 'unknown'],
  revokeFamily: ['not_redeemed', 'revoked', 'unchanged', 'unknown'],
  revokeIssuedBefore: ['RangeError', 'revoked', 'unchanged'],
  settle: ['lost', 'revoked', 'settled', 'unknown'],
  useOnce: ['Error', 'RangeError', 'first', 'full', 'limited', 'used'],
  notePresentation: ['known', 'noted', 'unknown'],
  lock: ['RangeError', 'locked', 'unchanged'],
  unlock: ['unknown', 'unlocked'],
  locks: ['none', 'some'],
  noteFinding: ['RangeError', 'object'],
  findings: ['none', 'some'],
  closeFinding: ['closed', 'unknown'],
  noteUse: ['RangeError', 'undefined'],
  lastUses: ['none', 'some'],
  unusedSince: ['none', 'some'],
  listKeys: ['none', 'some'],
  countKeys: ['object'],
  listUses: ['none', 'some'],
})
  .flatMap(([move, all]) => all.map((one) => `${move}: ${one}`))
  .sort()
