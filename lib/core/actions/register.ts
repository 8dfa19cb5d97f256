import type { Client } from '../client.js'
import { findKept } from '../client-authentication/authenticate.js'
import { type Deployment, numericDate } from '../deployment.js'
import { malformed } from '../errors.js'
import type { Claims } from '../jws.js'
import { inheritedPolicy, type Policy, parseScope } from '../policy.js'
import { lastingScopes, randomId, type VerifiedKey } from '../provisioning-key.js'
import { type Done, type Redeem, redeemFor } from '../redemption.js'
import { type Accepted, accept } from '../registration/acceptance.js'
import { issueRegistrationToken } from '../registration/access-token.js'
import { makeSecret } from '../registration/credentials.js'
import { type ClientInformation, informationOf } from '../registration/information.js'
import { saving } from '../registry.js'
import { policyOf } from './token.js'

/** Redeems a key, as the Initial Access Token of RFC 7591, to register a client. */
export type Register = (key: VerifiedKey, body: Claims, address?: string) => Promise<ClientInformation>

export function registrar(deployment: Deployment, redeem: Redeem): Register {
  return async function register(key, body, address) {
    const policy = await policyOf(deployment, key)
    const scopes = lastingScopes(key).filter((scope) => policy.scopes.has(scope))
    const clientId = identityFor(key)
    const { clientId: registeredBy, jti: keyId } = key
    const application = { operation: 'register', clientId, registeredBy, body, policy } as const
    // Judged before the claim, so that a refusal does not even claim, and a policy that fails spends nothing.
    const accepted = await accept(deployment, { ...application, bounds: { scopes: new Set(scopes) } })
    if ((await findKept(deployment, clientId)) !== undefined) throw taken()
    const claimed = await redeem(key, 'register', address)
    const { client, token, secret } = newcomer(deployment, key, { clientId, policy, scopes, accepted })
    const tell = () =>
      deployment.emit('client.registered', { keyId, clientId: registeredBy, registeredClientId: clientId })
    await redeemFor(claimed, () => save(deployment, client, tell))
    tell()
    return informationOf(client, { token, secret })
  }
}

/**
 * A key that was asked for in the name of another registers that other. A client that asked for itself exists
 * already, so its key registers a new client on its behalf (RFC 7591 3.2.1: an identifier that is no one else's).
 */
function identityFor(key: VerifiedKey): string {
  const clientId = key.subject === key.clientId ? randomId() : key.subject
  // A path cannot end in them: the client could never reach its registration (RFC 3986 5.2.4).
  if (/^\.{1,2}$/.test(clientId))
    throw malformed('registration_refused', 'An identity that is but dots cannot be registered.')
  return clientId
}

interface Newcomer {
  readonly clientId: string
  /** The policy of the client that asked for the key. */
  readonly policy: Policy
  /** The most that the key can leave to it. */
  readonly scopes: readonly string[]
  readonly accepted: Accepted
}

function newcomer(
  deployment: Deployment,
  key: VerifiedKey,
  { clientId, policy, scopes: most, accepted: { metadata, methods } }: Newcomer,
) {
  const scopes = metadata.scope === undefined ? [] : parseScope(metadata.scope)
  const secret = makeSecret(deployment, methods)
  const token = issueRegistrationToken(deployment, clientId)
  const client: Client = {
    clientId,
    revision: 1,
    ...secret.kept,
    authenticationMethods: methods,
    policy: inheritedPolicy(policy, { scopes, defaultScopes: scopes, audience: key.audience }),
    metadata,
    registeredBy: { clientId: key.clientId, keyId: key.jti },
    registration: { issuedAt: numericDate(deployment), scopes: most, tokens: [token.kept] },
  }
  return { client, token: token.text, secret: secret.made }
}

async function save(deployment: Deployment, client: Client, tell: () => void): Promise<Done<void>> {
  if (!(await saving(() => deployment.registry.save(client)))) throw taken()
  const undo = async () => {
    try {
      await deployment.registry.delete(client.clientId, client.revision)
    } catch (fault) {
      // It is there, and may have keys of its own, whatever it was told: who observes must know.
      tell()
      throw fault
    }
  }
  return { result: undefined, undo }
}

function taken() {
  return malformed('client_exists', 'The identity that the key is for is registered already.')
}
