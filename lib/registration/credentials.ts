import { hashSecret, randomSecret } from '../base/secret.js'
import { withBindings } from '../clients/bound-keys.js'
import type { Client } from '../ports/client.js'
import { type Deployment, numericDate } from '../ports/deployment.js'
import { type ClientAuthenticationMethod, SECRET_METHODS } from '../ports/methods.js'

/** The secret of a client: kept as it is, made anew, or none, where none of its methods is by a secret. */
export interface SecretOf {
  readonly kept: Pick<Client, 'secretHash' | 'secretExpiresAt'>
  /** The text, when it is new: its client sees it once. */
  readonly made?: string
}

/** Makes the secret of a client that authenticates by these methods, if one of them is by a secret. */
export function makeSecret(deployment: Deployment, methods: readonly ClientAuthenticationMethod[]): SecretOf {
  if (!isBySecret(methods)) return { kept: {} }
  const made = randomSecret()
  const lifetime = deployment.registration.clientSecretLifetimeSeconds
  const expires = lifetime === 0 ? {} : { secretExpiresAt: numericDate(deployment) + lifetime }
  return { kept: { secretHash: hashSecret(made), ...expires }, made }
}

/**
 * The secret of a client that updates itself. It keeps the one it has, until that has lived half its life: so one that
 * updates itself in time is never without. Who has lost the answer with the new one asks again, within the overlap.
 */
export function renewSecret(
  deployment: Deployment,
  client: Client,
  methods: readonly ClientAuthenticationMethod[],
  isShown: boolean,
): SecretOf {
  const { secretHash, secretExpiresAt } = client
  const keeps = secretHash !== undefined && isBySecret(methods) && !isDue(deployment, client, isShown)
  if (!keeps) return makeSecret(deployment, methods)
  return { kept: { secretHash, ...(secretExpiresAt !== undefined && { secretExpiresAt }) } }
}

function isDue(
  deployment: Deployment,
  { secretExpiresAt = Number.POSITIVE_INFINITY, registration }: Client,
  isShown: boolean,
): boolean {
  const { clientSecretLifetimeSeconds, overlapSeconds } = deployment.registration
  const now = numericDate(deployment)
  const renewedAt = registration?.secretRenewedAt ?? Number.NEGATIVE_INFINITY
  const wasLost = !isShown && now - renewedAt <= overlapSeconds
  return wasLost || secretExpiresAt - now <= clientSecretLifetimeSeconds / 2
}

function isBySecret(methods: readonly ClientAuthenticationMethod[]): boolean {
  return SECRET_METHODS.some((method) => methods.includes(method))
}

/** The methods that a client has by what is bound to it, whatever it registers. */
export function boundMethodsOf({
  bindings = [],
}: Pick<Client, 'bindings'>): readonly ClientAuthenticationMethod[] {
  return withBindings({ clientId: '', authenticationMethods: [] }, bindings).authenticationMethods
}
