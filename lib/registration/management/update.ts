import { malformed } from '../../base/errors.js'
import { Secret, secretMatches } from '../../base/secret.js'
import { withBindings } from '../../clients/bound-keys.js'
import { boundsOf, inheritedPolicy, parseScope } from '../../clients/policy.js'
import { callRegistry, findClient } from '../../clients/registry.js'
import type { Claims } from '../../jose/jws.js'
import type { Client, Registration } from '../../ports/client.js'
import { type Deployment, numericDate } from '../../ports/deployment.js'
import type { ClientAuthenticationMethod } from '../../ports/methods.js'
import type { Policy } from '../../ports/policy-options.js'
import { type Accepted, accept } from '../acceptance.js'
import { renewedTokens } from '../access-token.js'
import { boundMethodsOf, renewSecret } from '../credentials.js'
import { type ClientInformation, informationOf } from '../information.js'
import { authorizeUnlessDeleted, type Count, type Managed, type ManagementRequest } from './authorization.js'

/** Replaces what a client is registered with by what it sends now, whole (RFC 7592 2.2). */
export type UpdateRegistration = (
  request: ManagementRequest & { readonly body: Claims },
  count: Count,
) => Promise<ClientInformation>

export function registrationUpdater(deployment: Deployment): UpdateRegistration {
  return async function updateRegistration(request, count) {
    const managed = await authorizeUnlessDeleted(deployment, request, count)
    const { client } = managed
    const { clientId } = client
    const { registration } = client
    const { body } = request
    if (registration === undefined) throw refusedUpdate('The client was not registered.')
    validateMembers(client, body)
    const { permitted, scopes, policy } = await boundsOfUpdate(deployment, client, registration)
    const accepted = await accept(deployment, {
      operation: 'update',
      clientId,
      registeredBy: client.registeredBy?.clientId ?? clientId,
      body,
      policy,
      bounds: { scopes: new Set(permitted), boundMethods: boundMethodsOf(client) },
      ...(client.metadata && { current: client.metadata }),
    })
    const methods = methodsAfter(client, accepted)
    const { metadata } = accepted
    const changes = { metadata, methods, policy, scopes, body, registration }
    const updated = updatedClient(deployment, managed, changes)
    await save(deployment, updated.client)
    const { text: token } = updated.tokens
    deployment.emit('client.updated', {
      clientId,
      tokenRotated: token !== managed.token.text,
      secretRenewed: updated.secret.made !== undefined,
    })
    return informationOf(updated.client, { token, secret: updated.secret.made })
  }
}

/** Members of the answer that are the server's to say, and that an update MUST NOT have (RFC 7592 2.2). */
const SERVERS_OWN = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
]

function validateMembers(client: Client, body: Claims): void {
  const own = SERVERS_OWN.find((name) => Object.hasOwn(body, name))
  if (own !== undefined)
    throw malformed('metadata_invalid', `${own}: expected to be left out (RFC 7592 2.2).`)
  // RFC 7592 2.2: it MUST be there, and the same.
  if (body.client_id !== client.clientId)
    throw malformed('metadata_invalid', 'client_id: expected the one that is registered.')
  // RFC 7592 2.2: a client MUST NOT choose its own.
  if (!Object.hasOwn(body, 'client_secret')) return
  const shown = new Secret(typeof body.client_secret === 'string' ? body.client_secret : '')
  if (!secretMatches(shown, client.secretHash))
    throw malformed('metadata_invalid', 'client_secret: expected the current one, or none.')
}

/**
 * What the client may have now: no more than before, than the key that registered it left, or than the client which
 * asked for that may have itself by now. Where that one is gone nobody can give it any more than it has.
 */
async function boundsOfUpdate(deployment: Deployment, client: Client, registration: Registration) {
  const { registeredBy } = client
  const asker = registeredBy && (await findClient(deployment, registeredBy.clientId))
  const bounds = asker && deployment.policyOf(asker)
  const most = bounds?.scopes ?? deployment.policyOf(client).scopes
  const scopes = scopesLeft(client, registration)
  const policy = deployment.policyOf(client, bounds && boundsOf(bounds))
  if (policy.audiences.length === 0 || policy.networks?.length === 0)
    throw refusedUpdate('Nothing is left of what the client may have.')
  return { permitted: scopes.filter((scope) => most.has(scope)), scopes, policy }
}

/**
 * The most that the client may ever ask for. Each update makes the policy equal to the registered scope. If the policy
 * lacks a registered scope, the operator has narrowed it. Then only the scopes of the policy are left, and a scope that
 * the client gave up before is gone too.
 */
function scopesLeft({ metadata, policy }: Client, { scopes: most }: Registration): readonly string[] {
  const registered = typeof metadata?.scope === 'string' ? parseScope(metadata.scope) : []
  const kept = policy?.scopes
  if (kept === undefined || registered.every((scope) => kept.includes(scope))) return most
  return most.filter((scope) => kept.includes(scope))
}

/**
 * The methods that an update leaves to its client. One that names its method as before, or says nothing again, keeps
 * those that it has. A method that is registered, but that somebody has taken away, does not come back by this, nor is
 * it traded for another than is left: a client that may authenticate in no way must not find itself one.
 */
function methodsAfter(
  { metadata, authenticationMethods, boundMethods = [] }: Client,
  accepted: Accepted,
): readonly ClientAuthenticationMethod[] {
  const { token_endpoint_auth_method: method } = accepted.metadata
  const before = metadata?.token_endpoint_auth_method
  const isReduced = authenticationMethods.every((one) => one !== before)
  if ((isReduced || method === before) && !authenticationMethods.includes(method))
    throw refusedUpdate('The client may not authenticate in this way any more.')
  return method === before
    ? authenticationMethods.filter((one) => !boundMethods.includes(one))
    : accepted.methods
}

interface Update extends Accepted {
  readonly policy: Policy
  /** The most that the client may ask for at any later time. */
  readonly scopes: readonly string[]
  readonly body: Claims
  readonly registration: Registration
}

function updatedClient(
  deployment: Deployment,
  { client, token }: Managed,
  { metadata, methods, policy, scopes: most, body, registration }: Update,
) {
  const { clientId, secretHash: _, secretExpiresAt: __, boundMethods: ___, ...rest } = client
  const secret = renewSecret(deployment, client, methods, Object.hasOwn(body, 'client_secret'))
  const tokens = renewedTokens(deployment, clientId, registration.tokens, token)
  const scopes = metadata.scope === undefined ? [] : parseScope(metadata.scope)
  const [audience = ''] = policy.audiences
  const drawn = {
    ...rest,
    clientId,
    ...secret.kept,
    revision: client.revision + 1,
    authenticationMethods: methods,
    policy: inheritedPolicy(policy, { scopes, defaultScopes: scopes, audience }),
    metadata,
    registration: {
      ...registration,
      scopes: most,
      tokens: tokens.tokens,
      ...(secret.made !== undefined && { secretRenewedAt: numericDate(deployment) }),
    },
  }
  return { client: withBindings<Client>(drawn, client.bindings ?? []), secret, tokens }
}

/** Judged against what was there, so it holds only for that: whoever was first has made it something else. */
async function save(deployment: Deployment, client: Client): Promise<void> {
  if (await callRegistry(() => deployment.registry.save(client))) return
  const message = 'The client was changed by another request at the same moment; read it and try again.'
  throw malformed('client_changed', message, { clientId: client.clientId })
}

function refusedUpdate(message: string) {
  return malformed('registration_refused', message)
}
