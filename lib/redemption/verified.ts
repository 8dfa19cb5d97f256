import type { ProvisioningError } from '../base/errors.js'
import type { KeyState } from '../ports/store.js'
import type { Possession } from '../possession/possession.js'
import { type Expectation, missingScope } from '../tokens/presentation.js'
import type { VerifiedKey } from '../tokens/provisioning-key.js'
import { keyRefusal } from './key-state.js'
import type { OutcomeCipher } from './outcome.js'

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
 * Step two of verification: the key must carry the scope (RFC 6750 3.1).
 *
 * @throws ProvisioningError `scope_insufficient`
 */
export function authorizeKey(recognized: RecognizedKey, { scope }: Pick<Expectation, 'scope'>): Verified {
  const missing = missingScope(recognized.key.scope, scope)
  if (missing === undefined) return recognized as Verified
  const message = `The key lacks the scope ${missing}.`
  throw keyRefusal(recognized.key, 'scope_insufficient', message, scope.join(' '))
}
