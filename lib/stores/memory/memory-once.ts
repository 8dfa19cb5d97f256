import type { IdentifierOwner, UseOnceOutcome } from '../../ports/store.js'
import { type Expiring, enqueue, IDLE_SWEEP_MILLISECONDS, takeExpired } from './expiry-queue.js'

interface Used extends Expiring {
  readonly id: string
  readonly owner: IdentifierOwner | undefined
}

/**
 * How many identifiers are remembered: of all owners together, of one client and again of all its keys, and of one key.
 */
export interface IdentifierLimits {
  readonly maximum: number
  readonly maxPerClient: number
  readonly maxPerKey: number
}

/** What one client has: of its own, and with its keys. It is dropped with its last identifier. */
interface Count {
  own: number
  withKeys: number
  readonly byKey: Map<string, number>
}

/** Identifiers that may be used once, each remembered until its time is over. At a limit nothing is evicted. */
export function onceSet(
  limits: IdentifierLimits,
  now: () => number,
): (id: string, until: number, owner?: IdentifierOwner) => UseOnceOutcome {
  const used = new Set<string>()
  const counts = ownerCounts(limits)
  const queue: Used[] = []
  let timer: NodeJS.Timeout | undefined

  function sweep(): void {
    for (const { id, owner } of takeExpired(queue, now() / 1000)) {
      used.delete(id)
      counts.remove(owner)
    }
    if (queue.length > 0) return
    clearInterval(timer)
    timer = undefined
  }

  return function useOnce(id, until, owner) {
    sweep()
    requireFuture(until, now() / 1000)
    if (used.has(id)) return 'used'
    if (!counts.hasPlace(owner)) return 'limited'
    if (used.size >= limits.maximum) return 'full'
    used.add(id)
    counts.add(owner)
    enqueue(queue, { id, owner: owner && nameOf(owner), retainUntil: until, due: until })
    timer ??= setInterval(sweep, IDLE_SWEEP_MILLISECONDS).unref()
    return 'first'
  }
}

/** Counts the identifiers of each owner. */
function ownerCounts({ maxPerClient, maxPerKey }: IdentifierLimits) {
  // Nested, because both names are free text.
  const clients = new Map<string, Count>()
  return {
    hasPlace(owner: IdentifierOwner | undefined): boolean {
      const count = owner && clients.get(owner.clientId)
      if (count === undefined) return true
      // Counted apart: those who hold keys of a client must not be able to keep the client itself out.
      if (owner?.jti === undefined) return count.own < maxPerClient
      return count.withKeys < maxPerClient && (count.byKey.get(owner.jti) ?? 0) < maxPerKey
    },
    add(owner: IdentifierOwner | undefined): void {
      if (owner === undefined) return
      const { clientId, jti } = owner
      const count = clients.get(clientId) ?? { own: 0, withKeys: 0, byKey: new Map<string, number>() }
      clients.set(clientId, count)
      count[jti === undefined ? 'own' : 'withKeys'] += 1
      if (jti !== undefined) count.byKey.set(jti, (count.byKey.get(jti) ?? 0) + 1)
    },
    remove(owner: IdentifierOwner | undefined): void {
      const count = owner && clients.get(owner.clientId)
      if (owner === undefined || count === undefined) return
      count[owner.jti === undefined ? 'own' : 'withKeys'] -= 1
      if (count.own + count.withKeys === 0) clients.delete(owner.clientId)
      if (owner.jti === undefined) return
      const left = (count.byKey.get(owner.jti) ?? 0) - 1
      if (left > 0) count.byKey.set(owner.jti, left)
      else count.byKey.delete(owner.jti)
    },
  }
}

/** A copy: what the caller does to its own object afterwards must not change whose count goes down. */
function nameOf({ clientId, jti }: IdentifierOwner): IdentifierOwner {
  return jti === undefined ? { clientId } : { clientId, jti }
}

/** Limits of owners that leave room for others: a tenth of the whole for a client, a hundredth for a key. */
export function sharedLimits(
  maximum: number,
  { maxProofsPerClient = 10_000, maxProofsPerKey = 1_000 }: Partial<ProofLimits> = {},
): IdentifierLimits {
  return {
    maximum,
    maxPerClient: Math.min(maxProofsPerClient, Math.max(LEAST.client, Math.floor(maximum / 10))),
    maxPerKey: Math.min(maxProofsPerKey, Math.max(LEAST.key, Math.floor(maximum / 100))),
  }
}

/** What a client and a key have in the smallest of stores. */
const LEAST = { client: 10, key: 5 }

/** The options of a store that limit the identifiers of an owner. */
export interface ProofLimits {
  readonly maxProofsPerClient: number
  readonly maxProofsPerKey: number
}

/** Forgotten at once, it could be used again; never forgotten, it would take its place for good. */
function requireFuture(until: number, seconds: number): void {
  if (!Number.isFinite(until)) throw new RangeError(`until: expected a time in seconds, got ${String(until)}`)
  if (!(until > seconds))
    throw new RangeError(`until: expected a time in the future (now ${seconds}), got ${until}`)
}
