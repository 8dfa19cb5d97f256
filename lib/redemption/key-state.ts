import { createHash } from 'node:crypto'
import { ProvisioningError, type Reason } from '../base/errors.js'
import { withoutUndefined } from '../base/object.js'
import type { RequestSource } from '../base/request.js'
import {
  callStore,
  numericDate,
  type StoringDeployment,
  type VerificationRules,
} from '../ports/deployment.js'
import { isLocked } from '../ports/lock.js'
import type { KeyEntry, KeyRef, KeyState } from '../ports/store.js'
import type { Possession } from '../possession/possession.js'
import type { VerifiedKey } from '../tokens/provisioning-key.js'
import type { OutcomeCipher } from './outcome.js'

export const STATE_REFUSALS: Record<KeyState, Reason | undefined> = {
  issued: undefined,
  redeeming: 'key_redeeming',
  redeemed: 'key_redeemed',
  revoked: 'key_revoked',
}

/**
 * Checks that a key is in time and in one of the two states in which a handler may work, and that nobody has locked its
 * client or its subject.
 *
 * @throws ProvisioningError `key_expired`, `client_locked`, or the reason of the state that the key is in
 */
export async function requireState(
  deployment: StoringDeployment,
  key: VerifiedKey,
  wanted: 'issued' | 'redeeming',
): Promise<void> {
  requireUnexpired(deployment, key)
  const entry = await callStore(() => deployment.store.find(key))
  if (entry?.state === wanted) {
    if (isLocked(entry)) throw stateRefusal('client_locked', key)
    return
  }
  throw stateRefusal(
    entry === undefined ? 'key_unknown' : (STATE_REFUSALS[entry.state] ?? 'key_redeeming'),
    key,
  )
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
  { entry, source }: { readonly entry: KeyEntry; readonly source: RequestSource | undefined },
): void {
  const reservedSeconds = Math.floor(deployment.now() / 1000 - (entry.reservedAt ?? entry.changedAt))
  if (isBound(key) || reservedSeconds < STALLED_SECONDS) return
  const { jti: keyId, clientId, subject } = key
  deployment.emit('redemption.stalled', { keyId, clientId, subject, reservedSeconds }, source)
}

/** Whether the key is bound: its presenter has proven to be its owner. */
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
  client_locked: 'The client or the subject of the key is locked.',
  key_forged: 'The key is signed, but it differs from the key that was issued under its jti.',
  inactive_at_issuer: 'The issuer says that the key is not active.',
}

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
  const { clientId, jti, subject, expiresAt } = key
  const facts = withoutUndefined({ clientId, jti, subject, expiresAt, requiredScope })
  return new ProvisioningError(reason, message, { facts, disclosed: isBound(key) })
}

/** The state of a key during verification. */
export interface KnownState {
  readonly state: KeyState
  /**
   * A refusal that waits, only for a redeemed key: a limit or the lock of the client refuses the request, but first the
   * request must be contained if it is a replay. A repetition by the owner gets this refusal.
   */
  readonly deferred?: ProvisioningError | undefined
  /**
   * Checks that the key is still good, for a request whose body took its time.
   *
   * @throws ProvisioningError `key_expired`, or the reason of the state that the key is in now
   */
  recheck(): Promise<void>
}

/** The result of step one: a genuine key, in time, presented by its owner, in a state that fits the request. */
export interface RecognizedKey extends Possession, KnownState {
  readonly key: VerifiedKey
  /** Encrypts the outcome of the redemption. */
  readonly outcomeCipher: OutcomeCipher
}

declare const authorized: unique symbol

/** The result of step two: the key also carries the scope. */
export interface Verified extends RecognizedKey {
  readonly [authorized]: true
}

/**
 * The client that a key registers. A key for another identity registers that identity. A client that asked for itself
 * exists already, so its key registers a new client on its behalf (RFC 7591 3.2.1: an identifier that no other client
 * has). All attempts at the redemption get the same identifier.
 */
export function registeredIdOf({ clientId, subject, jti }: KeyRef & { readonly subject: string }): string {
  if (subject !== clientId) return subject
  const hash = createHash('sha256').update(JSON.stringify([clientId, jti]))
  // 160 bits.
  return hash.digest().subarray(0, 20).toString('base64url')
}
