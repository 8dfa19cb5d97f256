import {
  importPublicJwk,
  isKindFor,
  jwkThumbprint,
  type ProofAlgorithm,
  type PublicJwk,
} from '../../jose/jwk.js'
import { type ParsedJws, verifiesWith } from '../../jose/jws.js'
import type { Client } from '../../ports/client.js'
import { MOST_KEYS } from '../../ports/policy-options.js'
import { type Decoy, decoyFor } from './decoy.js'

/** A key that a client has registered, or one that it has bound under a thumbprint. */
interface Candidate {
  readonly jwk: PublicJwk
  readonly jkt?: string | undefined
}

/** How many keys are tried for an assertion that names none. */
const TRIES_WITHOUT_KID = 2

/**
 * Whether an assertion is signed by a key of the client.
 *
 * The work depends on the assertion alone, so that time does not tell who exists or which keys a client has: one key is
 * imported and tried for an assertion with a `kid`, two are for one without. Decoys stand in for keys that are missing.
 */
export function isSignedBy(client: Client | undefined, jws: ParsedJws): boolean {
  const decoy = decoyFor(jws.header.alg as ProofAlgorithm, jws.signature)
  const keys = candidatesOf(client)
  const chosen = typeof jws.header.kid === 'string' ? named(jws, keys, decoy) : newest(jws, keys)
  // Every try is made, also after one that holds.
  return chosen.map((candidate) => verifies(jws, candidate, decoy)).includes(true)
}

/** The newest is last. A client that has the method by its bindings alone has no other keys. */
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
 * The key that the `kid` of the assertion names. A `kid` that no key has is a hint only (RFC 7515 4.1.4): then the
 * newest key without a `kid` of its own is tried.
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

/** A bound key has its thumbprint. Those of registered keys are computed, and always as many of them. */
function thumbprintsOf(keys: readonly Candidate[], decoy: Decoy): readonly (string | undefined)[] {
  const registered = keys.filter(({ jkt }) => jkt === undefined)
  const computed = Array.from({ length: MOST_KEYS }, (_, index) =>
    jwkThumbprint((registered[index] ?? decoy).jwk),
  )
  return keys.map(({ jkt }, index) => jkt ?? computed[index])
}

/** The newest keys that fit. */
function newest(jws: ParsedJws, keys: readonly Candidate[]): readonly (Candidate | undefined)[] {
  const fitting = keys.filter((one) => fits(jws, one)).slice(-TRIES_WITHOUT_KID)
  return Array.from({ length: TRIES_WITHOUT_KID }, (_, index) => fitting[index])
}

/** RFC 7517 4.1, 4.2 and 4.4: what the key says it is for; and whether a signature by it can be that long. */
function fits({ header, signature }: ParsedJws, { jwk }: Candidate): boolean {
  const alg = header.alg as ProofAlgorithm
  const isFor = (jwk.use ?? 'sig') === 'sig' && (jwk.alg ?? alg) === alg
  return isFor && isKindFor(jwk, alg) && (jwk.kty !== 'RSA' || isAsLong(jwk.n, signature))
}

/** RFC 8017 8.2.2: an RSA signature is as long as the modulus, of which the base64url has four characters for three bytes. */
function isAsLong(n: string | undefined, signature: Buffer): boolean {
  return n?.length === Math.ceil((signature.length * 4) / 3)
}

/** Tries one key, or the decoy. It always computes a thumbprint, imports a key, and verifies a signature. */
function verifies(jws: ParsedJws, candidate: Candidate | undefined, decoy: Decoy): boolean {
  const isPossible = isBelowModulus(jws.signature, (candidate ?? decoy).jwk) && candidate !== undefined
  const { jwk, jkt } = isPossible ? candidate : { ...decoy, jkt: undefined }
  const thumbprint = jwkThumbprint(jwk)
  const key = importPublicJwk(jwk)
  const isSound = typeof key !== 'string'
  const holds = verifiesWith(jws, isSound ? key : decoy.key)
  return holds && isSound && isPossible && (jkt ?? thumbprint) === thumbprint
}

/**
 * A number that is not below the modulus is no signature (RFC 8017 5.2.2). OpenSSL refuses it without any work, which
 * would tell something of the modulus. The decoy is tried instead: no modulus of that size is much larger.
 */
function isBelowModulus(signature: Buffer, { kty, n = '' }: PublicJwk): boolean {
  return kty !== 'RSA' || signature.compare(Buffer.from(n, 'base64url')) < 0
}
