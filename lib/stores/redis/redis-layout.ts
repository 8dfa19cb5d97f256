import { createHash } from 'node:crypto'

/**
 * The number of parts into which clients are divided. Each part is on one hash slot. This is not an option, because
 * after a change no earlier key would be found.
 */
const PARTS = 64

/** The names of all Redis keys of a store. Only this file makes them. */
export interface Layout {
  /** A hash: the record of one provisioning key, and its state. */
  entry(clientId: string, jti: string): string
  /** A sorted set: the keys of a client that are `issued` or `redeeming`, by their ends. */
  open(clientId: string): string
  /** A string: the revision of `notBefore` at which the covered keys were last removed from `open`. */
  seen(clientId: string): string
  /** A string: the encrypted answer to the redemption of one provisioning key. */
  outcome(clientId: string, jti: string): string
  /** A hash in the part of a client: the times of `revokeIssuedBefore`, by identity. */
  notBefore(clientId: string): string
  /** `notBefore` of each part, and the sorted set of the ends of its times. */
  readonly allNotBefore: readonly (readonly [notBefore: string, ends: string])[]
  /** A string: one used identifier. If it has an owner, it is in the part of that client. */
  once(id: string, clientId?: string): string
  /** A sorted set: the identifiers of a client itself, or of one of its keys, by their ends. */
  proofs(clientId: string, jti?: string): string
  /** A sorted set: the same, of all keys of a client together. */
  keyProofs(clientId: string): string
  /** Any of the names. It selects the node for questions about Redis itself. */
  readonly home: string
}

export function layout(prefix: string): Layout {
  const inPart = (clientId: string, kind: string) => `${tag(prefix, partOf(clientId))}:${kind}`
  const ofKey = (clientId: string, kind: string, jti: string) =>
    `${inPart(clientId, kind)}:${encoded(clientId)}:${encoded(jti)}`
  return {
    entry: (clientId, jti) => ofKey(clientId, 'key', jti),
    outcome: (clientId, jti) => ofKey(clientId, 'outcome', jti),
    open: (clientId) => `${inPart(clientId, 'open')}:${encoded(clientId)}`,
    seen: (clientId) => `${inPart(clientId, 'seen')}:${encoded(clientId)}`,
    notBefore: (clientId) => inPart(clientId, 'revoked'),
    allNotBefore: Array.from({ length: PARTS }, (_, part) => {
      const start = tag(prefix, part)
      return [`${start}:revoked`, `${start}:revoked-until`] as const
    }),
    home: `${tag(prefix, 0)}:revoked`,
    once: (id, clientId) =>
      clientId === undefined ? `${prefix}once:${encoded(id)}` : ofKey(clientId, 'once', id),
    proofs: (clientId, jti) =>
      jti === undefined
        ? `${inPart(clientId, 'proofs')}:${encoded(clientId)}`
        : ofKey(clientId, 'proofs', jti),
    keyProofs: (clientId) => `${inPart(clientId, 'key-proofs')}:${encoded(clientId)}`,
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
