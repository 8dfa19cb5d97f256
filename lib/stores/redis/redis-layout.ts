import { createHash } from 'node:crypto'

/**
 * The number of parts into which clients are divided. Each part is on one hash slot. This is not an option, because
 * after a change no earlier key would be found.
 */
const PARTS = 64

/** Most clients whose names are kept. To compute the part of a client at each call took 8 % of a reservation. */
const MAX_KNOWN_CLIENTS = 2_048

/** The names of all Redis keys of a store. Only this file makes them. */
export interface Layout {
  ofClient(clientId: string): ClientNames
  /** A string: one used identifier without an owner. */
  once(id: string): string
  /** `notBefore` of each part, and the sorted set of the ends of its times. */
  readonly allNotBefore: readonly (readonly [notBefore: string, ends: string])[]
  /** Any of the names. It selects the node for questions about Redis itself. */
  readonly home: string
}

export function layout(prefix: string): Layout {
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
    allNotBefore: parts.map((part) => [`${part}:revoked`, `${part}:revoked-until`] as const),
    home: `${parts[0]}:revoked`,
  }
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
