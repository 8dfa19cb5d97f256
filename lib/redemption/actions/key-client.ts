import { ProvisioningError } from '../../base/errors.js'
import { findClient } from '../../clients/registry.js'
import type { Client } from '../../ports/client.js'
import type { Deployment } from '../../ports/deployment.js'
import type { Policy } from '../../ports/policy-options.js'
import type { VerifiedKey } from '../../tokens/provisioning-key.js'

/**
 * Finds the client that asked for a key.
 *
 * @throws ProvisioningError `client_unknown` if it has been deleted
 */
export async function clientOfKey(deployment: Deployment, { clientId, jti }: VerifiedKey): Promise<Client> {
  const client = await findClient(deployment, clientId)
  if (client !== undefined) return client
  throw new ProvisioningError('client_unknown', 'The client of the key has been deleted.', {
    code: 'invalid_token',
    facts: { clientId, jti },
  })
}

/**
 * Checks that what a key registered or bound still exists, before the answer is repeated. Only something with a deadline
 * can be undone.
 *
 * @param exists whether the client still has it
 * @throws ProvisioningError `confirmation_missed`
 */
export async function requireNotUndone(
  deployment: Deployment,
  { clientId, jti }: VerifiedKey,
  answer: { readonly client_id: string; readonly confirm_by?: number },
  exists: (client: Client) => boolean,
): Promise<void> {
  if (answer.confirm_by === undefined) return
  const client = await findClient(deployment, answer.client_id)
  if (client !== undefined && exists(client)) return
  throw new ProvisioningError('confirmation_missed', UNDONE, {
    code: 'invalid_token',
    facts: { clientId, jti },
  })
}

const UNDONE =
  'What the key registered or bound does not exist any more: it was not used before its deadline.'

/** The current policy of that client. It may be narrower than when the key was issued. */
export async function policyOfKey(deployment: Deployment, key: VerifiedKey): Promise<Policy> {
  return deployment.policyOf(await clientOfKey(deployment, key))
}
