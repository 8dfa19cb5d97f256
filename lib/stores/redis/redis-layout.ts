import { createHash } from 'node:crypto'

/**
 * Into how many parts the clients are divided, each on one hash slot. No option: with another number nothing that was
 * recorded before would be found.
 */
const PARTS = 64

/** The names of all Redis keys of a store. No other file makes one. */
export interface Layout {
  /** A hash: the record of one provisioning key, and what has become of it. */
  entry(clientId: string, jti: string): string
  /** A sorted set: the client's keys that are `issued` or `redeeming`, by when they end. */
  open(clientId: string): string
  /** A string: up to which revision of the watermarks `open` has been looked through. */
  seen(clientId: string): string
  /** A string: what the redemption of one provisioning key was answered with, sealed. */
  outcome(clientId: string, jti: string): string
  /** A hash in the client's part: the watermarks, by identity. */
  marks(clientId: string): string
  /** The watermarks of each part, and the sorted set of when each of them ends. */
  readonly allMarks: readonly (readonly [marks: string, ends: string])[]
  /** A string: one identifier that has been used; in the part of its client if it has an owner. */
  once(id: string, clientId?: string): string
  /** A sorted set: the identifiers of a client itself, or of one of its keys, that are still remembered. */
  proofs(clientId: string, jti?: string): string
  /** A sorted set: the same of all keys of a client. */
  keyProofs(clientId: string): string
  /** One of the names: for questions about the Redis itself. */
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
    marks: (clientId) => inPart(clientId, 'revoked'),
    allMarks: Array.from({ length: PARTS }, (_, part) => {
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

/** `{07/64}`: these 64 names happen to lie evenly on 2 to 16 primaries, none with over 1.25 times its share. */
function tag(prefix: string, part: number): string {
  return `${prefix}{${String(part).padStart(2, '0')}/${PARTS}}`
}

function partOf(clientId: string): number {
  return createHash('sha256').update(clientId).digest().readUInt8() % PARTS
}

/**
 * Free text as a part of a name: without braces and colons, so that no two names are one and no text chooses its slot.
 *
 * @throws URIError for half of a surrogate pair: UTF-8 has no such thing, and two of them would be one name
 */
export function encoded(text: string): string {
  return encodeURIComponent(text)
}
