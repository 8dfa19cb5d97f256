import { createHash } from 'node:crypto'

/**
 * The number of parts into which clients are divided. Each part is on one hash slot. This is not an option, because
 * after a change no earlier key would be found.
 */
const PARTS = 64

/** Most clients whose names are kept. To compute the part of a client at each call took 8 % of a reservation. */
const MAX_KNOWN_CLIENTS = 2_048

export type NotBeforeNames = readonly [notBefore: string, ends: string, locks: string]
export type FindingNames = readonly [findings: string, bound: string, unbound: string, ends: string]
export type ListedNames = readonly [listed: string, notBefore: string]
export type UseNames = readonly [uses: string, times: string, ends: string]

/** The names of all Redis keys of a store. Only this file makes them. */
export interface Layout {
  ofClient(clientId: string): ClientNames
  /** A string: one used identifier without an owner. */
  once(id: string): string
  /** `notBefore` of each part, and the sorted sets of the ends of its times and of its locks. */
  readonly allNotBefore: readonly [NotBeforeNames, ...NotBeforeNames[]]
  /** The hash of the findings, and the sorted sets of those with bound and with unbound evidence, and of all ends. */
  readonly findings: FindingNames
  /** The sorted set of all keys of each part, and its `notBefore`. */
  readonly allListed: readonly ListedNames[]
  readonly allUses: readonly UseNames[]
  /** Any of the names. It selects the node for questions about Redis itself. */
  readonly home: string
}

export function layout(prefix: string): Layout {
  const first = tag(prefix, 0)
  const parts = Array.from({ length: PARTS }, (_, part) => tag(prefix, part))
  const known = new Map<string, ClientNames>()
  return {
    ofClient(clientId) {
      let names = known.get(clientId)
      if (names === undefined) {
        names = new ClientNames(tag(prefix, partOf(clientId)), clientId)
        if (known.size >= MAX_KNOWN_CLIENTS) known.clear()
        known.set(clientId, names)
      }
      return names
    },
    once: (id) => `${prefix}once:${encoded(id)}`,
    allNotBefore: [notBeforeOf(first), ...parts.slice(1).map(notBeforeOf)],
    findings: findingsIn(first),
    allListed: parts.map(listedIn),
    allUses: parts.map(usesOf),
    home: `${first}:revoked`,
  }
}

function notBeforeOf(part: string): NotBeforeNames {
  return [`${part}:revoked`, `${part}:revoked-until`, `${part}:locked`]
}

/** All findings are in one part, so that one script can limit them. */
function findingsIn(part: string): FindingNames {
  return [`${part}:findings`, `${part}:findings-bound`, `${part}:findings-unbound`, `${part}:findings-until`]
}

/** The name of an entry is that of the sorted set, a colon, and the member of the set. */
function listedIn(part: string): ListedNames {
  return [`${part}:key`, `${part}:revoked`]
}

function usesOf(part: string): UseNames {
  return [`${part}:uses`, `${part}:uses-at`, `${part}:uses-until`]
}

/** The names of the Redis keys of one client. All have the tag of its part. */
export class ClientNames {
  /** A hash in the part of the client: the times of `revokeIssuedBefore`, by identity. */
  readonly notBefore: string
  readonly #part: string
  readonly #id: string

  constructor(part: string, clientId: string) {
    this.notBefore = `${part}:revoked`
    this.#part = part
    this.#id = encoded(clientId)
  }

  /** A hash: the record of one provisioning key, and its state. */
  entry(jti: string): string {
    return `${this.#part}:key:${this.#id}:${encoded(jti)}`
  }

  /** A sorted set in the part of the client: all keys of its clients by `issuedAt`. */
  listed(): string {
    return this.listedKeys[0]
  }

  /** The same, and `notBefore`. */
  get listedKeys(): ListedNames {
    return listedIn(this.#part)
  }

  /** A string: the encrypted answer to the redemption of one provisioning key. */
  outcome(jti: string): string {
    return `${this.#part}:outcome:${this.#id}:${encoded(jti)}`
  }

  /** A sorted set: the keys of the client that are `issued` or `redeeming`, by their ends. */
  open(): string {
    return `${this.#part}:open:${this.#id}`
  }

  /** A string: the revision of `notBefore` at which the covered keys were last removed from `open`. */
  seen(): string {
    return `${this.#part}:seen:${this.#id}`
  }

  /** A string: one used identifier. */
  once(id: string): string {
    return `${this.#part}:once:${this.#id}:${encoded(id)}`
  }

  /** A sorted set: the identifiers of the client itself, or of one of its keys, by their ends. */
  proofs(jti?: string): string {
    const ofClient = `${this.#part}:proofs:${this.#id}`
    return jti === undefined ? ofClient : `${ofClient}:${encoded(jti)}`
  }

  /** In the part of the client: the uses of all its clients. */
  get uses(): UseNames {
    return usesOf(this.#part)
  }

  /** A sorted set: the same, of all keys of the client together. */
  keyProofs(): string {
    return `${this.#part}:key-proofs:${this.#id}`
  }
}

/** Such as `{07/64}`. These 64 tags spread evenly: of 2 to 16 primaries, none gets more than 1.25 times its share. */
function tag(prefix: string, part: number): string {
  return `${prefix}{${String(part).padStart(2, '0')}/${PARTS}}`
}

function partOf(clientId: string): number {
  return createHash('sha256').update(clientId).digest().readUInt8() % PARTS
}

/**
 * Free text as a part of a name. It is without colons, so that different parts make different names, and without
 * braces, so that no text selects its hash slot.
 *
 * @throws URIError for half of a surrogate pair, which UTF-8 cannot express: all halves would make the same name
 */
export function encoded(text: string): string {
  return encodeURIComponent(text)
}
