import type { KeyState } from '../stores/store.js'
import type { DpopProof } from './confirmation/dpop.js'
import { holder, type PresentedCredential, tellingHolder } from './confirmation/holding.js'
import { confirm, type Possession } from './confirmation/possession.js'
import type { Target } from './confirmation/target.js'
import {
  type AskingDeployment,
  asking,
  type StoringDeployment,
  type VerifyingDeployment,
} from './deployment.js'
import { malformed, ProvisioningError, type Reason } from './errors.js'
import { isActive } from './issuer-state.js'
import { loadKey } from './jwt.js'
import { isInNetworks } from './network.js'
import {
  isAsRecorded,
  type KeyClaims,
  type VerifiedKey,
  verifiedKey,
  verifyGenuine,
  verifyTerms,
} from './provisioning-key.js'
import { type Credential, type PresentedRequest, SECRET_PARAMETERS } from './request.js'

/** What a key or token is verified against. Configured, never taken from the request. */
export interface Expectation {
  readonly audiences: readonly string[]
  /** The scopes it must carry, all of them. */
  readonly scope: readonly string[]
  /** What a DPoP proof must be for. */
  readonly target: Target
  /** Counts the presentation of what holds, before anything is written for it. */
  readonly count: (jti: string) => Promise<void>
}

/** A key that holds, and what its presenter proved. */
export interface Verified extends Possession {
  readonly key: VerifiedKey
}

/** Verifies a presented key: genuine, for this audience, in time, held by its holder, and still `issued`. */
export type Verify = (
  presentedKey: PresentedCredential,
  presented: PresentedRequest,
  expected: Expectation,
) => Promise<Verified>

/** RFC 6750 2.1 and RFC 9449 7.1: `b64token`. */
const CREDENTIALS = /^(Bearer|DPoP) +([\w.~+/-]+=*)$/i

/**
 * Takes the key, or the access token, out of a request.
 *
 * @throws ProvisioningError `token_in_query`, `header_repeated`, `token_presented_twice`, `header_malformed`,
 *   `credentials_missing`, `certificate_header_malformed`
 */
export function extractKey(
  request: PresentedRequest,
  credential: Credential = 'provisioning key',
): PresentedCredential {
  refuseTokenInQuery(request)
  refuseUnreadableCertificate(request)
  const [header, ...others] = request.authorization
  const word = credential === 'access token' ? '<token>' : '<key>'
  if (others.length > 0)
    throw malformed('header_repeated', 'The request has more than one Authorization header.')
  if (request.tokenInBody && header !== undefined) {
    throw malformed(
      'token_presented_twice',
      'The request presents a token in its body besides the Authorization header.',
    )
  }
  if (header === undefined || !/^(Bearer|DPoP)\b/i.test(header)) {
    const message = `Present the ${credential} as Authorization: Bearer ${word}, or DPoP ${word}.`
    throw malformed('credentials_missing', message)
  }
  const [, scheme, token] = CREDENTIALS.exec(header) ?? []
  if (token === undefined)
    throw malformed('header_malformed', `The Authorization header is not Bearer ${word} or DPoP ${word}.`)
  return { token, scheme: scheme?.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer' }
}

/** Whatever stands in a query ends up in logs and histories (RFC 9700 2.4). */
export function refuseTokenInQuery(request: PresentedRequest): void {
  if (!SECRET_PARAMETERS.some((name) => request.queryNames.has(name))) return
  throw malformed('token_in_query', 'Tokens and secrets are never accepted in the query string.')
}

/** A proxy that is trusted must not be misunderstood: what it says of the certificate is clear, or refused (RFC 9440 4). */
export function refuseUnreadableCertificate({ certificateFault }: PresentedRequest): void {
  if (certificateFault !== undefined) throw malformed('certificate_header_malformed', certificateFault)
}

export function verifier(deployment: VerifyingDeployment): Verify {
  const hold = holder(deployment)
  const requireIssued = 'askIssuer' in deployment ? issuedAtIssuer(deployment) : issuedInStore(deployment)

  return async function verify(presentedKey, presented, expected) {
    await loadKey(deployment.keyRing, presentedKey.token)
    const claims = verifyGenuine(deployment, presentedKey.token)
    const facts = { clientId: claims.client_id, jti: claims.jti }
    const possession = () => hold(presentedKey, presented, expected.target)
    tellingHolder(claims.cnf, possession, () => verifyTerms(deployment, claims, expected.audiences))
    const held = possession()
    confirm(claims.cnf, held, facts)
    const key = verifiedKey(claims)
    requireNetwork(claims, key, presented.address)
    const { token } = presentedKey
    await requireIssued(key, { token, claims, proof: held.proof, address: presented.address })
    await expected.count(key.jti)
    requireScope(key, expected.scope)
    await held.proof?.spend()
    return { key, proof: held.proof, certificate: held.certificate }
  }
}

function requireNetwork({ cidr }: KeyClaims, key: VerifiedKey, address: string | undefined): void {
  if (cidr === undefined || isInNetworks(address, cidr)) return
  throw refusalOf(
    key,
    'network_wrong',
    `The key may not be presented from ${address ?? 'an unknown address'}.`,
  )
}

const REFUSALS: Record<KeyState | 'unknown', Reason | undefined> = {
  issued: undefined,
  redeeming: 'key_redeeming',
  redeemed: 'key_redeemed',
  revoked: 'key_revoked',
  unknown: 'key_unknown',
}

interface Presentation {
  readonly token: string
  readonly claims: KeyClaims
  readonly proof: DpopProof | undefined
  readonly address: string | undefined
}

/** Refuses a key that holds otherwise and is not `issued`. */
type RequireIssued = (key: VerifiedKey, presentation: Presentation) => Promise<void>

function issuedInStore(deployment: StoringDeployment): RequireIssued {
  return async function requireIssued(key, { proof, address }) {
    const entry = await asking(() => deployment.store.find(key))
    if (entry !== undefined && !isAsRecorded(key, entry)) throw forged(deployment, key, address)
    const reason = REFUSALS[entry?.state ?? 'unknown']
    if (reason === undefined) return
    if (reason === 'key_redeemed') {
      // A proof that was used before proves nothing: who repeats a whole request must not be able to revoke.
      await proof?.spend()
      await containReplay(deployment, key, address)
    }
    throw stateRefusal(reason, key)
  }
}

function forged(deployment: StoringDeployment, key: VerifiedKey, address: string | undefined) {
  deployment.emit('key.forged', { keyId: key.jti, clientId: key.clientId, address })
  return stateRefusal('key_forged', key)
}

/** Replay is contained by the issuer alone: whoever asks it is not told why a key is not active any more. */
function issuedAtIssuer({ askIssuer }: AskingDeployment): RequireIssued {
  return async function requireIssued(key, { token, claims }) {
    if (!(await isActive(askIssuer, token, claims))) throw stateRefusal('inactive_at_issuer', key)
  }
}

const MESSAGES: Partial<Record<Reason, string>> = {
  key_redeeming: 'The key is being redeemed by another request at this moment.',
  key_redeemed: 'The key has been redeemed; a key is good for one redemption.',
  key_revoked: 'The key has been revoked.',
  key_unknown: 'The store has no record of the key.',
  key_forged: 'The key is signed, but is not the one that was issued under its jti.',
  inactive_at_issuer: 'The issuer says that the key is not active.',
}

/** A refusal of a verified key. Its presenter is told precisely, if the key is bound: then possession was proven. */
function refusalOf(
  key: VerifiedKey,
  reason: Reason,
  message: string,
  requiredScope?: string,
): ProvisioningError {
  const facts = {
    clientId: key.clientId,
    jti: key.jti,
    ...(requiredScope !== undefined && { requiredScope }),
  }
  return new ProvisioningError(reason, message, { facts, disclosed: key.confirmation !== undefined })
}

/** The refusal of a key for the state it is in. */
export function stateRefusal(reason: Reason, key: VerifiedKey): ProvisioningError {
  return refusalOf(key, reason, MESSAGES[reason] ?? reason)
}

/**
 * A redeemed key that is presented once more was copied by somebody: what its redemption brought forth is revoked
 * (RFC 9700 2.2.2, RFC 6749 4.1.2). The key was verified before, so that a forger revokes nothing.
 */
export async function containReplay(
  deployment: StoringDeployment,
  key: VerifiedKey,
  address?: string,
): Promise<void> {
  const outcome = await asking(() => deployment.store.revokeFamily(key))
  const { jti: keyId, clientId } = key
  deployment.emit('key.replayed', { keyId, clientId, address, familyRevoked: outcome === 'revoked' })
}

/** Refuses a key that does not carry a scope (RFC 6750 3.1). */
export function requireScope(key: VerifiedKey, scope: readonly string[]): void {
  const missing = missingScope(key.scope, scope)
  if (missing === undefined) return
  throw refusalOf(key, 'scope_insufficient', `The key lacks the scope ${missing}.`, scope.join(' '))
}

/** What of the wanted scope is not carried, space-delimited; `undefined` when nothing is missing. */
export function missingScope(carried: readonly string[], wanted: readonly string[]): string | undefined {
  const missing = wanted.filter((one) => !carried.includes(one))
  return missing.length === 0 ? undefined : missing.join(' ')
}
