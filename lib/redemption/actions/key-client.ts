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

/** The current policy of that client. It may be narrower than when the key was issued. */
export async function policyOfKey(deployment: Deployment, key: VerifiedKey): Promise<Policy> {
  return deployment.policyOf(await clientOfKey(deployment, key))
}
