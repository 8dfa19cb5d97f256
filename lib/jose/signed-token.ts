import type { ProvisioningError } from '../base/errors.js'
import { type ParsedJws, parseJws } from './jws.js'

/** The check that a signed token fails. */
export type TokenFault =
  | 'form'
  | 'type'
  | 'extension'
  | 'algorithm'
  | 'signer'
  | 'signature'
  | 'retired'
  | 'payload'
  | 'claims'
  | 'expired'
  | 'early'
  | 'lifetime'

/** A failed check, and the rest of a sentence that begins with the noun of the token. */
export type Failure = readonly [fault: TokenFault, predicate: string]

/**
 * A kind of signed token. Each kind is a description, and `verifySignedToken` is the only code that checks them. The six
 * kinds are the provisioning key, the access token, the DPoP proof, the client assertion, the software statement and the
 * binding proof.
 */
export interface TokenKind<C extends object> {
  /** Begins each message, such as `The client assertion`. */
  readonly noun: string
  /** The accepted `typ`, in lower case (RFC 8725 3.11). `undefined` accepts a token without a `typ`. */
  readonly types: readonly (string | undefined)[]
  /** The accepted `alg`. Default: the algorithm of the signer's key. */
  readonly algorithms?: readonly string[]
  /** The types of the claims. Other claims are ignored (RFC 7519 4). */
  readonly claims: ClaimTypes<C>
  readonly times: TimeRules
  /** Makes the refusal for a failed check. */
  readonly refuse: (fault: TokenFault, message: string) => ProvisioningError
}

/** A kind without the rules for its times, which are checked later. */
export type SignedKind<C extends object> = Omit<TokenKind<C>, 'times'>

/** The type of each claim. A claim that is added to `C` does not compile until it is added here. */
export type ClaimTypes<C extends object> = {
  readonly [K in keyof C]-?: object extends Pick<C, K> ? OptionalClaim : ClaimType
}

type ClaimType = (value: unknown) => boolean
interface OptionalClaim {
  readonly optional: ClaimType
}

/** Which times a token must have. A time that is present is checked in any case (RFC 7519 4.1.4 to 4.1.6). */
export interface TimeRules {
  /** Whether the token must have an `exp`. Default false. */
  readonly mustExpire?: boolean
  /** The longest time between `iat` and now, beside the tolerance. The token must then have an `iat`. */
  readonly maxAgeSeconds?: number
  /** The longest time between now and `exp`, beside the tolerance. */
  readonly maxRemainingSeconds?: number
  /** The longest time between `iat` and `exp`. */
  readonly maxLifetimeSeconds?: number
  /** Added to the tolerance for a time in the future. Default 0. */
  readonly futureSeconds?: number
}

/** The claims that are times (RFC 7519 4.1.4 to 4.1.6). */
export interface TimeClaims {
  readonly iat?: unknown
  readonly nbf?: unknown
  readonly exp?: unknown
}

/** The time at which a token is checked, in whole seconds. */
export interface TokenClock {
  readonly nowSeconds: number
  readonly toleranceSeconds: number
}

/** Checks the signature of a token: it finds the key of the signer, and verifies with that key. */
export type CheckSignature = (token: ParsedJws) => Failure | undefined

/**
 * Verifies that a token is genuine: its form, header, signature, and the types of its claims. Times and other terms are
 * checked later, because some refusals may be disclosed only to the owner of a token.
 *
 * @throws ProvisioningError what `kind.refuse` makes
 */
export function verifySignedToken<C extends object>(
  text: unknown,
  kind: SignedKind<C>,
  checkSignature: CheckSignature,
): C {
  const token = parseSignedToken(text, kind)
  const failure = checkSignature(token)
  if (failure !== undefined) throw refusal(kind, failure)
  return typedClaims(token, kind)
}

/** The first half of `verifySignedToken`, for a token whose claims name its signer. Nothing is verified yet. */
export function parseSignedToken<C extends object>(text: unknown, kind: SignedKind<C>): ParsedJws {
  // RFC 7515 5.2, steps 1 to 4.
  const token = typeof text === 'string' ? parseJws(text) : undefined
  if (token === undefined || typeof token === 'string') throw refusal(kind, ['form', 'is not a JWT'])
  const { typ, alg } = token.header
  // RFC 8725 3.11: explicit typing. RFC 7515 4.1.9: media types are compared without case.
  const type = typeof typ === 'string' ? typ.toLowerCase() : typ
  if (!kind.types.some((accepted) => accepted === type))
    throw refusal(kind, ['type', `must have the typ ${kind.types.filter(Boolean).join(' or ')}`])
  // RFC 7515 4.1.11: an extension that is not understood must be refused. None is understood here.
  if (Object.hasOwn(token.header, 'crit')) throw refusal(kind, ['extension', 'has a crit header'])
  // RFC 8725 3.1: only algorithms that the application names.
  if (kind.algorithms !== undefined && !kind.algorithms.some((accepted) => accepted === alg))
    throw refusal(kind, ['algorithm', `has an alg that is none of ${kind.algorithms.join(', ')}`])
  return token
}

/** The second half of `verifySignedToken`: the claims, if each is of its type. */
export function typedClaims<C extends object>({ claims }: ParsedJws, kind: SignedKind<C>): C {
  if (claims === undefined) throw refusal(kind, ['payload', 'has a payload that is not a JSON object'])
  // A list of entries would take 1.5 us for each token.
  for (const name in kind.claims) {
    const type: ClaimType | OptionalClaim = kind.claims[name]
    const value = claims[name]
    const fits = typeof type === 'function' ? type(value) : value === undefined || type.optional(value)
    if (!fits) throw refusal(kind, ['claims', `has no valid ${name}`])
  }
  return claims as C
}

/**
 * Checks the times of a genuine token.
 *
 * @throws ProvisioningError what `kind.refuse` makes of `expired`, `early` and `lifetime`
 */
export function requireInTime(
  claims: TimeClaims,
  kind: Omit<TokenKind<object>, 'claims'>,
  clock: TokenClock,
): void {
  const failure = timesFailure(claims, kind.times, clock)
  if (failure !== undefined) throw refusal(kind, failure)
}

/** The failure of the times of a token, if there is one. */
export function timesFailure(claims: TimeClaims, rules: TimeRules, clock: TokenClock): Failure | undefined {
  return expiryFailure(claims, rules, clock) ?? beginFailure(claims, rules, clock)
}

function expiryFailure({ iat, exp }: TimeClaims, rules: TimeRules, clock: TokenClock): Failure | undefined {
  const { nowSeconds, toleranceSeconds } = clock
  if (exp === undefined) return rules.mustExpire === true ? ['expired', 'has no exp'] : undefined
  if (!isTime(exp)) return ['expired', 'has an exp that is not a number of seconds']
  // RFC 7519 4.1.4: on or after exp, not only after it.
  if (nowSeconds >= exp + toleranceSeconds) return ['expired', `expired ${duration(nowSeconds - exp)} ago`]
  const { maxRemainingSeconds, maxLifetimeSeconds } = rules
  if (maxRemainingSeconds !== undefined && exp > nowSeconds + maxRemainingSeconds + toleranceSeconds)
    return ['lifetime', `has an exp more than ${maxRemainingSeconds} s from now`]
  const lifetime = exp - Number(iat)
  if (maxLifetimeSeconds !== undefined && !(lifetime > 0 && lifetime <= maxLifetimeSeconds))
    return ['lifetime', `must live at most ${maxLifetimeSeconds} s, got ${duration(lifetime)}`]
  return undefined
}

/** RFC 7519 4.1.5 and 4.1.6. */
function beginFailure({ iat, nbf }: TimeClaims, rules: TimeRules, clock: TokenClock): Failure | undefined {
  const { nowSeconds, toleranceSeconds } = clock
  const { maxAgeSeconds, futureSeconds = 0 } = rules
  const latest = nowSeconds + toleranceSeconds + futureSeconds
  for (const begin of [iat, nbf]) {
    if (begin === undefined) continue
    if (!isTime(begin)) return ['early', 'has an iat or nbf that is not a number of seconds']
    if (begin > latest) return ['early', `becomes valid in ${duration(begin - nowSeconds)}`]
  }
  if (maxAgeSeconds === undefined) return undefined
  if (!isTime(iat)) return ['expired', 'has no iat']
  if (nowSeconds - iat <= maxAgeSeconds + toleranceSeconds) return undefined
  return ['expired', `was made ${duration(nowSeconds - iat)} ago, at most ${maxAgeSeconds} s are accepted`]
}

export function refusal(
  kind: Pick<TokenKind<object>, 'noun' | 'refuse'>,
  [fault, predicate]: Failure,
): ProvisioningError {
  return kind.refuse(fault, `${kind.noun} ${predicate}.`)
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

/** Short, since anybody can write any number into a token. */
function duration(seconds: number): string {
  return Math.abs(seconds) > 86_400 ? 'more than a day' : `${Math.ceil(seconds)} s`
}

/** Claim type: text, not empty. */
export function text(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

/** Claim type: a NumericDate in whole seconds. */
export function wholeSeconds(value: unknown): boolean {
  return Number.isSafeInteger(value)
}

/** Claim type: anything. The claim is checked where it is used. */
export function anything(): boolean {
  return true
}
