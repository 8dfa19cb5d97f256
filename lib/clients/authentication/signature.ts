import type { Decoy, Decoys } from '../../jose/decoys.js'
import {
  importPublicJwk,
  isForVerification,
  isKindFor,
  jwkThumbprint,
  type ProofAlgorithm,
  type PublicJwk,
} from '../../jose/jwk.js'
import { type ParsedJws, verifiesWith } from '../../jose/jws.js'
import type { Client } from '../../ports/client.js'
import { MOST_KEYS } from '../../ports/policy-options.js'

/** A key that a client has registered, or one that it has bound. */
export interface Candidate {
  readonly jwk: PublicJwk
  /** The thumbprint of a bound key. */
  readonly jkt?: string | undefined
}

/** How many keys are tried for an assertion without a `kid`. */
const TRIES_WITHOUT_KID = 2

/**
 * Finds the key of the client that has signed an assertion; `undefined` if none has.
 *
 * The work depends only on the assertion, so time does not show which clients exist, or which keys they have. With a
 * `kid` one key is imported and tried, without a `kid` two. Decoys replace missing keys.
 */
export function signerOf(client: Client | undefined, jws: ParsedJws, decoys: Decoys): Candidate | undefined {
  const decoy = decoys.for(jws.header.alg as ProofAlgorithm, jws.signature)
  const keys = candidatesOf(client)
  const chosen = typeof jws.header.kid === 'string' ? named(jws, keys, decoy) : newest(jws, keys)
  // map() tries all of them. find() would stop at the first match.
  const verified = chosen.map((candidate) => verifies(jws, candidate, decoy))
  return chosen[verified.indexOf(true)]
}

/** The keys of a client, the newest last. If the method came with a binding, registered keys do not count. */
function candidatesOf({
  metadata,
  bindings = [],
  boundMethods = [],
}: Partial<Client> = {}): readonly Candidate[] {
  const registered = boundMethods.includes('private_key_jwt') ? [] : (metadata?.jwks?.keys ?? [])
  const bound = bindings.flatMap(({ jwk, confirmation: { jkt } }) =>
    jwk === undefined ? [] : [{ jwk, jkt }],
  )
  return [...registered.slice(-MOST_KEYS).map((jwk) => ({ jwk })), ...bound]
}

/**
 * The key that the `kid` of the assertion names, by its own `kid` or its thumbprint. A `kid` is only a hint
 * (RFC 7515 4.1.4): if no key matches, it is the newest key without a `kid`.
 */
function named(jws: ParsedJws, keys: readonly Candidate[], decoy: Decoy): readonly [Candidate | undefined] {
  const { kid } = jws.header
  const thumbprints = thumbprintsOf(keys, decoy)
  const fitting = keys
    .map((one, index) => ({ one, thumbprint: thumbprints[index] }))
    .filter(({ one }) => fits(jws, one))
  const match = fitting.findLast(({ one, thumbprint }) => one.jwk.kid === kid || thumbprint === kid)
  return [(match ?? fitting.findLast(({ one }) => one.jwk.kid === undefined))?.one]
}

/** Computes the thumbprints of registered keys, always the same number of them. Bound keys have theirs stored. */
function thumbprintsOf(keys: readonly Candidate[], decoy: Decoy): readonly (string | undefined)[] {
  const registered = keys.filter(({ jkt }) => jkt === undefined)
  const computed = Array.from({ length: MOST_KEYS }, (_, index) =>
    jwkThumbprint((registered[index] ?? decoy).jwk),
  )
  return keys.map(({ jkt }, index) => jkt ?? computed[index])
}

/** The newest keys that fit, filled up with `undefined`. */
function newest(jws: ParsedJws, keys: readonly Candidate[]): readonly (Candidate | undefined)[] {
  const fitting = keys.filter((one) => fits(jws, one)).slice(-TRIES_WITHOUT_KID)
  return Array.from({ length: TRIES_WITHOUT_KID }, (_, index) => fitting[index])
}

/** Whether a key is for such signatures (RFC 7517 4.1 to 4.4), and makes signatures of that length. */
function fits({ header, signature }: ParsedJws, { jwk }: Candidate): boolean {
  const alg = header.alg as ProofAlgorithm
  const isFor = isForVerification(jwk) && (jwk.alg ?? alg) === alg
  return isFor && isKindFor(jwk, alg) && (jwk.kty !== 'RSA' || isAsLong(jwk.n, signature))
}

/** RFC 8017 8.2.2: an RSA signature is as long as the modulus. Base64url has four characters for three bytes of it. */
function isAsLong(n: string | undefined, signature: Buffer): boolean {
  return n?.length === Math.ceil((signature.length * 4) / 3)
}

/** Tries one key, or the decoy. In every case it computes a thumbprint, imports a key, and verifies a signature. */
function verifies(jws: ParsedJws, candidate: Candidate | undefined, decoy: Decoy): boolean {
  const isPossible = isBelowModulus(jws.signature, (candidate ?? decoy).jwk) && candidate !== undefined
  const { jwk, jkt } = isPossible ? candidate : { ...decoy, jkt: undefined }
  const thumbprint = jwkThumbprint(jwk)
  const key = importPublicJwk(jwk)
  const isSound = typeof key !== 'string'
  const isVerified = verifiesWith(jws, isSound ? key : decoy.key)
  return isVerified && isSound && isPossible && (jkt ?? thumbprint) === thumbprint
}

/**
 * A signature is a number below the modulus (RFC 8017 5.2.2). OpenSSL refuses a larger one without any work, and the time
 * would show something of the modulus. So the decoy is tried for it, whose modulus is the largest.
 */
function isBelowModulus(signature: Buffer, { kty, n = '' }: PublicJwk): boolean {
  return kty !== 'RSA' || signature.compare(Buffer.from(n, 'base64url')) < 0
}
