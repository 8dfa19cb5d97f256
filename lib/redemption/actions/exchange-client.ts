import { refusalOf } from '../../base/caught-refusal.js'
import { ProvisioningError } from '../../base/errors.js'
import type { VerifiedKey } from '../../tokens/provisioning-key.js'
import type { Verified } from '../verified.js'

/** The client that a token exchange names, and whether the client has authenticated. */
export interface ExchangeClient {
  readonly clientId: string | undefined
  readonly authenticates: boolean
}

const STRANGER: ExchangeClient = Object.freeze({ clientId: undefined, authenticates: false })

/** Treats the sender as nobody. */
export const asStranger = async () => STRANGER

/**
 * For a redeemed key, the refusal of a limit or of an outage that keeps the client from authenticating. It must not keep a
 * replay from containment: a thief can be a client itself, and use up its own limits.
 */
export async function deferredOf(
  { state }: Verified,
  identify: () => Promise<ExchangeClient>,
): Promise<ProvisioningError | undefined> {
  return state === 'redeemed' ? refusalOf(identify, isOfServer) : undefined
}

/**
 * The key must be of the client that the request names, if it names one.
 *
 * @throws ProvisioningError `client_mismatch`
 */
export function requireOwnKey(key: VerifiedKey, caller: string | undefined): void {
  if (caller === undefined || caller === key.clientId || caller === key.subject) return
  const message = 'The client is not the one the key was issued to or for.'
  const facts = { clientId: key.clientId, jti: key.jti }
  throw new ProvisioningError('client_mismatch', message, { facts })
}

/** Such refusals do not depend on the key. */
function isOfServer({ code }: ProvisioningError): boolean {
  return code === 'slow_down' || code === 'temporarily_unavailable' || code === 'server_error'
}

/**
 * RFC 8693 2.2.2: every refusal of a subject token is an `invalid_request`. An authenticated client gets the precise
 * reason for its own key.
 */
export async function asSubjectTokenRefusal(
  error: ProvisioningError,
  identify: () => Promise<ExchangeClient>,
): Promise<ProvisioningError> {
  const isKeyRefused = error.code === 'invalid_token' || error.code === 'insufficient_scope'
  const caller = isOfServer(error) ? STRANGER : await identify()
  const isOwn = caller.authenticates && error.facts.clientId === caller.clientId
  return error.with({ ...(isKeyRefused && { code: 'invalid_request' }), ...(isOwn && { disclosed: true }) })
}
