import { ProvisioningError, type Reason } from '../base/errors.js'
import {
  type AskingDeployment,
  callStore,
  numericDate,
  type StoringDeployment,
  type VerificationRules,
} from '../ports/deployment.js'
import { isActive } from '../ports/issuer-state.js'
import type { KeyEntry, KeyState } from '../ports/store.js'
import { isAsRecorded, type KeyClaims, type VerifiedKey } from '../tokens/provisioning-key.js'
import { containReplay } from './containment.js'

/** The state of a key during verification. */
export interface KnownState {
  readonly state: KeyState
  /**
   * Checks that the key is still good, for a request whose body took its time.
   *
   * @throws ProvisioningError `key_expired`, or the reason of the state that the key is in now
   */
  recheck(): Promise<void>
}

/** A key whose possession is proven, and how the request presents it. */
export interface KeyPresentation {
  readonly token: string
  readonly claims: KeyClaims
  /** Whether the request redeems the key. */
  readonly redeems: boolean
  readonly address: string | undefined
}

/** Finds the state of a key, and refuses the key where that state does not fit the request. */
export type StateOf = (key: VerifiedKey, presentation: KeyPresentation) => Promise<KnownState>

const REFUSALS: Record<KeyState, Reason | undefined> = {
  issued: undefined,
  redeeming: 'key_redeeming',
  redeemed: 'key_redeemed',
  revoked: 'key_revoked',
}

/**
 * For so many seconds after its redemption, a bound key at a route that does not redeem is refused without containment.
 * Its owner has just proven possession, so this is one client whose requests overlapped.
 */
const OVERLAP_SECONDS = 2

export function stateInStore(deployment: StoringDeployment): StateOf {
  return async function stateOf(key, { redeems, address }) {
    const entry = await callStore(() => deployment.store.find(key))
    if (entry === undefined) throw stateRefusal('key_unknown', key)
    if (!isAsRecorded(key, entry)) throw forged(deployment, key, address)
    const { state } = entry
    const reason = REFUSALS[state]
    const recheck = () => requireState(deployment, key, 'issued')
    if (state === 'redeeming') emitStalled(deployment, key, { entry, address })
    if (reason === undefined || (redeems && state !== 'revoked')) return { state, recheck }
    const isOverlap = isBound(key) && deployment.now() / 1000 - entry.changedAt <= OVERLAP_SECONDS
    if (reason === 'key_redeemed' && !isOverlap) await containReplay(deployment, key, address)
    throw stateRefusal(reason, key)
  }
}

function forged(deployment: StoringDeployment, key: VerifiedKey, address: string | undefined) {
  deployment.emit('key.forged', { keyId: key.jti, clientId: key.clientId, address })
  return stateRefusal('key_forged', key)
}

/** The issuer alone contains replays. It does not say why a key is no longer active. */
export function stateAtIssuer({ askIssuer }: AskingDeployment): StateOf {
  return async function stateOf(key, { token, claims }) {
    const requireActive = async () => {
      if (!(await isActive(askIssuer, token, claims))) throw stateRefusal('inactive_at_issuer', key)
    }
    await requireActive()
    return { state: 'issued', recheck: requireActive }
  }
}

/**
 * Checks that a key is in time and in one of the two states in which a handler may work.
 *
 * @throws ProvisioningError `key_expired`, or the reason of the state that the key is in
 */
export async function requireState(
  deployment: StoringDeployment,
  key: VerifiedKey,
  wanted: 'issued' | 'redeeming',
): Promise<void> {
  requireUnexpired(deployment, key)
  const entry = await callStore(() => deployment.store.find(key))
  if (entry?.state === wanted) return
  throw stateRefusal(entry === undefined ? 'key_unknown' : (REFUSALS[entry.state] ?? 'key_redeeming'), key)
}

/** A reservation that refuses other requests is reported when the first reservation is this old. */
const STALLED_SECONDS = 5

/**
 * Reports a bearer key that is refused because another request has reserved it, long after its first reservation. That
 * request hangs, or its process died, or a thief keeps the key from its owner, with one reservation or many.
 */
export function emitStalled(
  deployment: StoringDeployment,
  key: VerifiedKey,
  { entry, address }: { readonly entry: KeyEntry; readonly address: string | undefined },
): void {
  const reservedSeconds = Math.floor(deployment.now() / 1000 - (entry.reservedAt ?? entry.changedAt))
  if (isBound(key) || reservedSeconds < STALLED_SECONDS) return
  const { jti: keyId, clientId } = key
  deployment.emit('redemption.stalled', { keyId, clientId, address, reservedSeconds })
}

/** Whether the presenter of a key has proven to be its owner. */
export function isBound({ confirmation }: VerifiedKey): boolean {
  return confirmation !== undefined
}

/**
 * Refuses a key that has expired since its verification, for requests that have waited.
 *
 * @throws ProvisioningError `key_expired`
 */
export function requireUnexpired(deployment: VerificationRules, key: VerifiedKey): void {
  const now = numericDate(deployment)
  if (now < key.expiresAt + deployment.clockToleranceSeconds) return
  throw keyRefusal(key, 'key_expired', `The key expired ${now - key.expiresAt} s ago.`)
}

const MESSAGES: Partial<Record<Reason, string>> = {
  key_redeeming: 'Another request is redeeming the key at this moment.',
  key_redeemed: 'The key has been redeemed; a key is good for one redemption.',
  key_revoked: 'The key has been revoked.',
  key_unknown: 'The store has no record of the key.',
  key_forged: 'The key is signed, but it differs from the key that was issued under its jti.',
  inactive_at_issuer: 'The issuer says that the key is not active.',
}

/** The refusal of a key for the state it is in. */
export function stateRefusal(reason: Reason, key: VerifiedKey): ProvisioningError {
  return keyRefusal(key, reason, MESSAGES[reason] ?? reason)
}

/** The refusal of a verified key. The presenter of a bound key has proven possession, so it gets the precise reason. */
export function keyRefusal(
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
  return new ProvisioningError(reason, message, { facts, disclosed: isBound(key) })
}
