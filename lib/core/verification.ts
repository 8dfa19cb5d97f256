import type { KeyState } from '../stores/store.js'
import type { DpopProof } from './confirmation/dpop.js'
import { holder, type PresentedCredential, tellingHolder } from './confirmation/holding.js'
import { confirm, type Possession } from './confirmation/possession.js'
import type { Target } from './confirmation/target.js'
import { containReplay } from './containment.js'
import {
  type AskingDeployment,
  asking,
  type StoringDeployment,
  type VerifyingDeployment,
} from './deployment.js'
import { ProvisioningError, type Reason } from './errors.js'
import { isActive } from './issuer-state.js'
import { loadKey } from './jwt.js'
import { isInNetworks } from './network.js'
import { type OutcomeSealer, outcomeSealer } from './outcome.js'
import {
  isAsRecorded,
  type KeyClaims,
  type VerifiedKey,
  verifiedKey,
  verifyGenuine,
  verifyTerms,
} from './provisioning-key.js'
import type { PresentedRequest } from './request.js'

/** What a key or token is verified against. Configured, never taken from the request. */
export interface Expectation {
  readonly audiences: readonly string[]
  /** The scopes it must carry, all of them. */
  readonly scope: readonly string[]
  /** What a DPoP proof must be for. */
  readonly target: Target
  /** Counts the presentation of what holds, before anything is written for it. */
  readonly count: (jti: string) => Promise<void>
  /** Whether it is to be redeemed: then one that is redeemed may be presented by who wants its outcome again. */
  readonly redeems?: boolean
}

/** A key that holds, and what its presenter proved. */
export interface Verified extends Possession {
  readonly key: VerifiedKey
  /** How it stood when it was verified. */
  readonly state: KeyState
  /** Seals what it is redeemed for. */
  readonly sealer: OutcomeSealer
}

/** Verifies a presented key: genuine, for this audience, in time, held by its holder, and still `issued`, or to be redeemed. */
export type Verify = (
  presentedKey: PresentedCredential,
  presented: PresentedRequest,
  expected: Expectation,
) => Promise<Verified>

export function verifier(deployment: VerifyingDeployment): Verify {
  const hold = holder(deployment)
  const stateOf = 'askIssuer' in deployment ? stateAtIssuer(deployment) : stateInStore(deployment)

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
    const { redeems = false } = expected
    const presentation = { token, claims, redeems, proof: held.proof, address: presented.address }
    const state = await stateOf(key, presentation)
    await expected.count(key.jti)
    requireScope(key, expected.scope)
    await held.proof?.spend()
    return { key, state, sealer: outcomeSealer(token), proof: held.proof, certificate: held.certificate }
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
  readonly redeems: boolean
  readonly proof: DpopProof | undefined
  readonly address: string | undefined
}

/** Finds out how a key stands that holds otherwise, and refuses it where that is not good for what it is presented for. */
type StateOf = (key: VerifiedKey, presentation: Presentation) => Promise<KeyState>

function stateInStore(deployment: StoringDeployment): StateOf {
  return async function stateOf(key, { redeems, proof, address }) {
    const entry = await asking(() => deployment.store.find(key))
    if (entry !== undefined && !isAsRecorded(key, entry)) throw forged(deployment, key, address)
    const reason = REFUSALS[entry?.state ?? 'unknown']
    if (entry !== undefined && (reason === undefined || (redeems && entry.state !== 'revoked')))
      return entry.state
    if (reason === 'key_redeemed') {
      // A proof that was used before proves nothing: who repeats a whole request must not be able to revoke.
      await proof?.spend()
      await containReplay(deployment, key, address)
    }
    throw stateRefusal(reason ?? 'key_unknown', key)
  }
}

function forged(deployment: StoringDeployment, key: VerifiedKey, address: string | undefined) {
  deployment.emit('key.forged', { keyId: key.jti, clientId: key.clientId, address })
  return stateRefusal('key_forged', key)
}

/** Replay is contained by the issuer alone: whoever asks it is not told why a key is not active any more. */
function stateAtIssuer({ askIssuer }: AskingDeployment): StateOf {
  return async function stateOf(key, { token, claims }) {
    if (!(await isActive(askIssuer, token, claims))) throw stateRefusal('inactive_at_issuer', key)
    return 'issued'
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
