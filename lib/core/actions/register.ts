import type { Client } from '../client.js'
import { findClient } from '../client-authentication/authenticate.js'
import { SECRET_METHODS } from '../client-authentication/methods.js'
import { type AcceptedMetadata, acceptMetadata } from '../client-metadata.js'
import { type Deployment, numericDate } from '../deployment.js'
import { malformed } from '../errors.js'
import type { Claims } from '../jws.js'
import { inheritedPolicy, type Policy, parseScope } from '../policy.js'
import { lastingScopes, randomId, type VerifiedKey } from '../provisioning-key.js'
import { type Done, type Redeem, redeemFor } from '../redemption.js'
import { saving } from '../registry.js'
import { hashSecret, randomSecret } from '../secret.js'
import { policyOf } from './token.js'

/** The answer of RFC 7591 3.2.1. */
export interface RegistrationAnswer extends AcceptedMetadata {
  readonly client_id: string
  readonly client_secret: string
  /** NumericDate. */
  readonly client_id_issued_at: number
  /** 0: it does not expire. */
  readonly client_secret_expires_at: number
}

/** Redeems a key, as the Initial Access Token of RFC 7591, to register a client. */
export type Register = (key: VerifiedKey, body: Claims, address?: string) => Promise<RegistrationAnswer>

export function registrar(deployment: Deployment, redeem: Redeem): Register {
  return async function register(key, body, address) {
    const policy = await policyOf(deployment, key)
    const permitted = new Set(lastingScopes(key).filter((scope) => policy.scopes.has(scope)))
    const metadata = acceptMetadata(body, permitted)
    const clientId = identityFor(key)
    if ((await findClient(deployment, clientId)) !== undefined) throw taken()
    const claimed = await redeem(key, 'register', address)
    const secret = randomSecret()
    const client = newClient(key, {
      clientId,
      policy,
      metadata,
      secretHash: hashSecret(secret),
      method: body.token_endpoint_auth_method,
    })
    await redeemFor(claimed, () => save(deployment, client))
    deployment.emit('client.registered', {
      keyId: key.jti,
      clientId: key.clientId,
      registeredClientId: clientId,
    })
    const times = { client_id_issued_at: numericDate(deployment), client_secret_expires_at: 0 }
    return { ...metadata, client_id: clientId, client_secret: secret, ...times }
  }
}

/**
 * A key that was asked for in the name of another registers that other. A client that asked for itself exists
 * already, so its key registers a new client on its behalf (RFC 7591 3.2.1: an identifier that is no one else's).
 */
function identityFor(key: VerifiedKey): string {
  return key.subject === key.clientId ? randomId() : key.subject
}

interface Newcomer {
  readonly clientId: string
  /** The policy of the client that asked for the key. */
  readonly policy: Policy
  readonly metadata: AcceptedMetadata
  readonly secretHash: string
  /** What the registrant said; one that says nothing may send its secret either way (RFC 6749 2.3.1). */
  readonly method: unknown
}

function newClient(key: VerifiedKey, { clientId, policy, metadata, secretHash, method }: Newcomer): Client {
  const scopes = metadata.scope === undefined ? [] : parseScope(metadata.scope)
  const methods = method === undefined ? SECRET_METHODS : [metadata.token_endpoint_auth_method]
  return {
    clientId,
    revision: 1,
    secretHash,
    authenticationMethods: methods,
    policy: inheritedPolicy(policy, { scopes, defaultScopes: scopes, audience: key.audience }),
    metadata,
    registeredBy: { clientId: key.clientId, keyId: key.jti },
  }
}

async function save(deployment: Deployment, client: Client): Promise<Done<void>> {
  if (!(await saving(() => deployment.registry.save(client)))) throw taken()
  return { result: undefined, undo: () => deployment.registry.delete(client.clientId) }
}

function taken() {
  return malformed('client_exists', 'The identity that the key is for is registered already.')
}
