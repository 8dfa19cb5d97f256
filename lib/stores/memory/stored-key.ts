import { MOST_NETWORKS } from '../../ports/monitoring-store.js'
import type {
  Confirmation,
  KeyEntry,
  KeyRecord,
  KeyState,
  Lock,
  NotedPresentation,
} from '../../ports/store.js'
import { copyOfConfirmation } from '../verb-arguments.js'
import type { Expiring, Moment } from './expiry.js'
import { SplitMap } from './split-map.js'

/** Terms that many keys have in common. */
interface SharedTerms {
  /** All of them as one text. */
  readonly text: string
  readonly scope: readonly string[]
  readonly audience: string
  /** Many keys of one policy have the same networks, and most keys have neither networks nor ancestors. */
  readonly claimsDigest: string | undefined
  /** The client that registered the client of the keys. */
  readonly registeredBy: string | undefined
  /** A digest of the user agent that the keys were issued to. Many clients run the same few programs. */
  readonly issuedToAgent: string | undefined
  /** How many keys have them. */
  keys: number
}

/**
 * Keeps equal terms once, as long as a key has them. Each request brings texts of its own: two scopes and an audience
 * would take 230 bytes of each key.
 */
export class TermsPool {
  readonly #shared = new SplitMap<SharedTerms>()

  take(record: KeyRecord, registeredBy: string | undefined): SharedTerms {
    const { audience, claimsDigest, issuedToAgent } = record
    const scope = Object.freeze([...record.scope])
    const text = JSON.stringify([audience, registeredBy, scope, claimsDigest, issuedToAgent])
    const terms = { text, scope, audience, claimsDigest, registeredBy, issuedToAgent, keys: 0 }
    const shared = this.#shared.get(text) ?? terms
    if (shared.keys === 0) this.#shared.set(text, shared)
    shared.keys += 1
    return shared
  }

  giveBack(shared: SharedTerms): void {
    shared.keys -= 1
    if (shared.keys === 0) this.#shared.delete(shared.text)
  }
}

/**
 * A key in the table, without the key itself. There can be millions, so it is one flat object: each member takes 8
 * bytes. A key that was only issued has no `progress`, which takes another 120.
 */
export class StoredKey implements Expiring<StoredKey> {
  readonly clientId: string
  readonly jti: string
  readonly subject: string
  readonly terms: SharedTerms
  readonly issuedAt: number
  readonly expiresAt: number
  readonly confirmation: Confirmation | undefined
  /** The network that the key was issued to. Nearly every client can have a network of its own. */
  readonly #issuedTo: PackedNetwork | undefined
  end: Moment<StoredKey>
  next: StoredKey | undefined = undefined
  progress: KeyProgress | undefined = undefined

  /** @param clientId equal to that of the record; the text of an earlier key, so that it is kept once */
  constructor(clientId: string, record: KeyRecord, terms: SharedTerms, end: Moment<StoredKey>) {
    const { jti, subject, issuedAt, expiresAt, confirmation, issuedTo } = record
    this.clientId = clientId
    this.jti = jti
    this.subject = subject === clientId ? clientId : subject
    this.terms = terms
    this.issuedAt = issuedAt
    this.expiresAt = expiresAt
    this.confirmation = confirmation && copyOfConfirmation(confirmation)
    this.#issuedTo = issuedTo === undefined ? undefined : packNetwork(issuedTo)
    this.end = end
  }

  /** The client that registered the client of this key. */
  get registeredBy(): string | undefined {
    return this.terms.registeredBy
  }

  /** The network that the key was issued to. */
  get issuedTo(): string | undefined {
    return this.#issuedTo === undefined ? undefined : unpackNetwork(this.#issuedTo)
  }

  /** The networks that the key was presented from. */
  get networks(): readonly string[] | undefined {
    const { networks } = this.progress ?? {}
    return networks === 'issuedTo' ? Object.freeze([this.issuedTo ?? '']) : networks
  }

  get state(): KeyState {
    return this.progress?.state ?? 'issued'
  }

  get changedAt(): number {
    return this.progress?.changedAt ?? this.issuedAt
  }

  notePresentation(network: string): NotedPresentation {
    const { networks = NO_NETWORKS } = this
    if (networks.includes(network)) return { outcome: 'known', networks: networks.length }
    if (networks.length >= MOST_NETWORKS) return { outcome: 'full', networks: networks.length }
    this.progress ??= new KeyProgress(this.state, this.changedAt)
    const isFirst = networks.length === 0 && network === this.issuedTo
    this.progress.networks = isFirst ? 'issuedTo' : Object.freeze([...networks, network])
    return { outcome: 'noted', networks: networks.length + 1 }
  }
}

const NO_NETWORKS: readonly string[] = Object.freeze([])

/** The changes of a key after it was recorded. */
export class KeyProgress {
  state: KeyState
  /** NumericDate of the last change of `state`. */
  changedAt: number
  /** NumericDate of the first reservation. */
  reservedAt: number | undefined = undefined
  familyRevoked = false
  /** The attempt that has reserved the key, or has redeemed it. */
  reservation: Reservation | undefined = undefined
  familyClientId: string | undefined = undefined
  /** Recognises the request of the redemption. */
  request: string | undefined = undefined
  outcome: Outcome | undefined = undefined
  /** See `StoredKey.networks`. Most keys come only from the network that they were issued to: they need no list. */
  networks: readonly string[] | 'issuedTo' | undefined = undefined

  constructor(state: KeyState, changedAt: number) {
    this.state = state
    this.changedAt = changedAt
  }
}

export interface Reservation {
  /** `undefined` after a release that left the reservation to its owner. */
  readonly attempt: string | undefined
  /** The first of all attempts that have had this reservation. */
  readonly redemption: string
  /** Whether an earlier attempt may have acted: then a release does not issue the key again. */
  readonly staysWithOwner: boolean
  readonly ownerId: string | undefined
  /** NumericDate from which the same owner may resume the redemption. */
  readonly leaseUntil: number
}

/** The encrypted answer to a redemption. It is kept until the `retainUntil` of the record, even if the key stays. */
interface Outcome {
  readonly text: string
  readonly end: Moment<StoredKey>
}

export function isOutstanding(state: KeyState): boolean {
  return state === 'issued' || state === 'redeeming'
}

/** The answer of `find`. */
export function entryOf(stored: StoredKey, lock: Lock | undefined): KeyEntry {
  const { clientId, jti, subject, terms, issuedAt, expiresAt, confirmation, progress } = stored
  const { reservedAt, familyRevoked = false, familyClientId } = progress ?? {}
  const { issuedTo, networks } = stored
  const { claimsDigest, issuedToAgent } = terms
  return Object.freeze({
    clientId,
    jti,
    subject,
    scope: terms.scope,
    audience: terms.audience,
    issuedAt,
    expiresAt,
    ...(confirmation !== undefined && { confirmation }),
    ...(claimsDigest !== undefined && { claimsDigest }),
    retainUntil: stored.end.time,
    ...(issuedTo !== undefined && { issuedTo }),
    ...(issuedToAgent !== undefined && { issuedToAgent }),
    state: stored.state,
    changedAt: stored.changedAt,
    ...(reservedAt !== undefined && { reservedAt }),
    familyRevoked,
    ...(familyClientId !== undefined && { familyClientId }),
    ...(networks !== undefined && { networks }),
    ...(lock !== undefined && { lock }),
  })
}

/** A network as a number, or any other text as it is. A number takes 0 or 16 bytes, and a text takes 32 to 70. */
export type PackedNetwork = number | string

/** IPv4 networks are below this number. IPv6 networks begin here. */
const FIRST_IPV6 = 2 ** 24

/** Packs a text. Networks as `networkOf` writes them become numbers. */
export function packNetwork(text: string): PackedNetwork {
  const packed = numberOf(text)
  return packed !== undefined && unpackNetwork(packed) === text ? packed : text
}

export function unpackNetwork(packed: PackedNetwork): string {
  if (typeof packed === 'string') return packed
  if (packed < FIRST_IPV6) return `${packed >> 16}.${(packed >> 8) & 255}.${packed & 255}.0/24`
  const bits = packed - FIRST_IPV6
  const groups = [Math.floor(bits / 2 ** 32), Math.floor(bits / 2 ** 16) % 2 ** 16, bits % 2 ** 16]
  return `${groups.map((group) => group.toString(16)).join(':')}::/48`
}

/** Of a text that is no network, it is any number, or none. */
function numberOf(text: string): number | undefined {
  const head = text.slice(0, -'.0/24'.length)
  if (text.endsWith('.0/24')) return head.split('.').reduce((sum, part) => sum * 2 ** 8 + Number(part), 0)
  if (!text.endsWith('::/48')) return undefined
  return head.split(':').reduce((sum, part) => sum * 2 ** 16 + Number.parseInt(part, 16), 0) + FIRST_IPV6
}
