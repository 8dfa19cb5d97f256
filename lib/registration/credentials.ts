import { hashSecret, randomSecret } from '../base/secret.js'
import type { Client } from '../ports/client.js'
import { type Deployment, numericDate } from '../ports/deployment.js'
import { type ClientAuthenticationMethod, SECRET_METHODS } from '../ports/methods.js'

/** The secret of a client. It has neither member if no method of the client needs a secret. */
export interface ClientSecret {
  readonly stored: Pick<Client, 'secretHash' | 'secretExpiresAt'>
  /** The text of a new secret. The client sees it once. */
  readonly issued?: string
}

/** Issues a secret to a client if one of its methods needs a secret. */
export function issueSecret(
  deployment: Deployment,
  methods: readonly ClientAuthenticationMethod[],
): ClientSecret {
  if (!needsSecret(methods)) return { stored: {} }
  const issued = randomSecret()
  const lifetime = deployment.registration.clientSecretLifetimeSeconds
  const expires = lifetime === 0 ? {} : { secretExpiresAt: numericDate(deployment) + lifetime }
  return { stored: { secretHash: hashSecret(issued), ...expires }, issued }
}

interface Renewal {
  readonly client: Client
  /** The methods of the client after its update. */
  readonly methods: readonly ClientAuthenticationMethod[]
  /** Whether the update contains the current secret. */
  readonly isSecretShown: boolean
}

/**
 * Renews the secret of a client that updates its registration.
 *
 * The client keeps a secret for half of its lifetime. So a client that updates itself in time always has a valid one. If
 * the answer with the new secret was lost, the client repeats the update within the overlap, and gets another secret.
 */
export function renewSecret(
  deployment: Deployment,
  { client, methods, isSecretShown }: Renewal,
): ClientSecret {
  const { secretHash, secretExpiresAt } = client
  if (secretHash === undefined || !needsSecret(methods) || isDue(deployment, client, isSecretShown))
    return issueSecret(deployment, methods)
  return { stored: { secretHash, ...(secretExpiresAt !== undefined && { secretExpiresAt }) } }
}

function isDue(
  deployment: Deployment,
  { secretExpiresAt = Number.POSITIVE_INFINITY, registration }: Client,
  isSecretShown: boolean,
): boolean {
  const { clientSecretLifetimeSeconds, overlapSeconds } = deployment.registration
  const now = numericDate(deployment)
  const renewedAt = registration?.secretRenewedAt ?? Number.NEGATIVE_INFINITY
  // A client that has received its newest secret could show it.
  const wasLost = !isSecretShown && now - renewedAt <= overlapSeconds
  return wasLost || secretExpiresAt - now <= clientSecretLifetimeSeconds / 2
}

function needsSecret(methods: readonly ClientAuthenticationMethod[]): boolean {
  return SECRET_METHODS.some((method) => methods.includes(method))
}
