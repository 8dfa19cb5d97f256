import type { ProvisioningError } from '../base/errors.js'
import type { KeyState } from '../ports/store.js'
import type { Possession } from '../possession/possession.js'
import { type Expectation, missingScope } from '../tokens/expectation.js'
import type { VerifiedKey } from '../tokens/provisioning-key.js'
import { keyRefusal } from './key-state.js'
import type { OutcomeCipher } from './outcome.js'

/** The state of a key during verification. */
export interface KnownState {
  readonly state: KeyState
  /** The refusal of a locked client, for a redeemed key. */
  readonly lockRefusal?: ProvisioningError
  /**
   * Checks that the key is still good, for a request whose body took its time.
   *
   * @throws ProvisioningError `key_expired`, or the reason of the state that the key is in now
   */
  recheck(): Promise<void>
}

/** The result of step one: a genuine key, in time, presented by its owner, in a state that fits the request. */
export interface RecognizedKey extends Possession, Omit<KnownState, 'lockRefusal'> {
  readonly key: VerifiedKey
  /**
   * The refusal of a limit or of a locked client, for a redeemed key: the request may not repeat the redemption, but a
   * replay is contained.
   */
  readonly limit: ProvisioningError | undefined
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
