import type { IdentifierOwner, ProvisioningStore, UseOnceOutcome } from '../../ports/store.js'
import { requireFuture } from '../verb-arguments.js'
import type { Expiring, ExpiryQueue } from './expiry.js'
import { SplitMap, Tally } from './split-map.js'
import { Sweep, type WAIT } from './sweep.js'

interface Used extends Expiring<Used> {
  readonly id: string
  readonly owner: IdentifierOwner | undefined
}

/** The most identifiers that are remembered. `maxPerClient` holds for a client, and again for all its keys together. */
export interface IdentifierLimits {
  readonly maximum: number
  readonly maxPerClient: number
  readonly maxPerKey: number
  /** For all clients together that one client has registered. */
  readonly maxPerRegistrar: number
}

/** The options that limit the identifiers of an owner. */
export interface ProofLimits {
  readonly maxProofsPerClient: number
  readonly maxProofsPerKey: number
}

/** The limits of a client and of a key in the smallest store. */
const LEAST = { client: 10, key: 5 }

/** Limits that leave room for others: a half for a registrar, a tenth for a client, a hundredth for a key. */
export function sharedLimits(
  maximum: number,
  { maxProofsPerClient = 10_000, maxProofsPerKey = 1_000 }: Partial<ProofLimits> = {},
): IdentifierLimits {
  return {
    maximum,
    maxPerRegistrar: halfOf(maximum),
    maxPerClient: Math.min(maxProofsPerClient, Math.max(LEAST.client, Math.floor(maximum / 10))),
    maxPerKey: Math.min(maxProofsPerKey, Math.max(LEAST.key, Math.floor(maximum / 100))),
  }
}

/** The part of a store or registry for all clients together that one client has registered. */
export function halfOf(maximum: number): number {
  return Math.max(1, Math.floor(maximum / 2))
}

/** More than the ends that all identifiers have at a time: they are whole seconds of the next 12 minutes. */
const MOST_ENDS = 1_024

/** Remembers identifiers that may be used once. At a limit it refuses new ones and evicts nothing. */
export class UsedIdentifiers {
  readonly #used = new SplitMap<Used>()
  /** The last ends of identifiers that have passed. If the clock goes back, one of these ends is in the future again. */
  readonly #passed = new Set<number>()
  readonly #sweep: Sweep
  readonly #expiry: ExpiryQueue<Used>
  readonly #limits: IdentifierLimits
  // A client and its keys have separate counts, so that a stolen key cannot lock out the client itself.
  readonly #ofClients = new Tally()
  readonly #ofAllKeys = new Tally()
  readonly #ofKeys = new Tally()
  readonly #ofRegistrars = new Tally()

  constructor(sweep: Sweep, limits: IdentifierLimits) {
    this.#sweep = sweep
    this.#expiry = sweep.queue<Used>({
      forget: (used) => this.#forget(used),
      over: (time) => this.#notePassed(time),
    })
    this.#limits = limits
  }

  use(id: string, until: number, owner: IdentifierOwner | undefined): UseOnceOutcome | typeof WAIT {
    const known = this.#used.get(id)
    if (known?.end.isOver === false) return 'used'
    if (known !== undefined) this.#forget(known)
    // The same identifier always has the same end.
    if (this.#passed.has(until)) throw new Error(CLOCK_WENT_BACK)
    if (!this.#counts(owner).every(([tally, name, most]) => tally.of(name) < most))
      return this.#sweep.refusal('limited')
    if (this.#used.size >= this.#limits.maximum) return this.#sweep.refusal('full')
    const used = { id, owner: owner && copyOf(owner), end: this.#expiry.momentAt(until), next: undefined }
    this.#used.set(id, used)
    this.#count(used.owner, 1)
    this.#expiry.add(used)
    this.#sweep.start()
    return 'first'
  }

  #forget(used: Used): void {
    // A verb may have forgotten it before the sweep came to it.
    if (this.#used.get(used.id) !== used) return
    this.#used.delete(used.id)
    this.#count(used.owner, -1)
  }

  #notePassed(end: number): void {
    this.#passed.add(end)
    if (this.#passed.size > MOST_ENDS) this.#passed.delete(Number(this.#passed.values().next().value))
  }

  #count(owner: IdentifierOwner | undefined, difference: 1 | -1): void {
    for (const [tally, name] of this.#counts(owner)) tally.add(name, difference)
  }

  /** The counts that an identifier of an owner is part of, each with its limit. */
  #counts(owner: IdentifierOwner | undefined): readonly (readonly [Tally, name: string, most: number])[] {
    if (owner === undefined) return []
    const { clientId, jti, registeredBy } = owner
    const { maxPerClient, maxPerKey, maxPerRegistrar } = this.#limits
    return [
      ...(registeredBy === undefined ? [] : [[this.#ofRegistrars, registeredBy, maxPerRegistrar] as const]),
      ...(jti === undefined
        ? [[this.#ofClients, clientId, maxPerClient] as const]
        : [
            [this.#ofAllKeys, clientId, maxPerClient] as const,
            // Both are free text. The length says where the first one ends.
            [this.#ofKeys, `${clientId.length} ${clientId} ${jti}`, maxPerKey] as const,
          ]),
    ]
  }
}

const CLOCK_WENT_BACK =
  'The clock was ahead, and has gone back. The store has forgotten some used proofs, so it refuses those that could be one.'

/** A copy: a later change of the caller's object must not change which count goes down. */
function copyOf({ clientId, jti, registeredBy }: IdentifierOwner): IdentifierOwner {
  return { clientId, ...(jti !== undefined && { jti }), ...(registeredBy !== undefined && { registeredBy }) }
}

/** Remembers identifiers without a store of keys, for a process that only verifies. */
export function identifiersInMemory(
  limits: IdentifierLimits,
  now: () => number,
): Pick<ProvisioningStore, 'useOnce'> {
  const sweep = new Sweep(now)
  const useOnce = useOnceVerb(new UsedIdentifiers(sweep, limits), sweep)
  return Object.freeze<Pick<ProvisioningStore, 'useOnce'>>({ useOnce })
}

/** The verb `useOnce`. `completed` may add to an owner what else is known of it. */
export function useOnceVerb(
  identifiers: UsedIdentifiers,
  sweep: Sweep,
  completed = (owner: IdentifierOwner) => owner,
): ProvisioningStore['useOnce'] {
  return function useOnce(id, until, owner) {
    return sweep.decide(() => {
      requireFuture('until', until, sweep.nowSeconds())
      sweep.run()
      return identifiers.use(id, until, owner && completed(owner))
    })
  }
}
