import { malformed } from '../base/errors.js'
import { Secret, secretMatches } from '../base/secret.js'
import { boundMethodsOf, withBindings } from '../clients/bound-keys.js'
import { boundsOf, inheritedPolicy } from '../clients/policy.js'
import { callRegistry, findClient } from '../clients/registry.js'
import { clientScopes, parseScope } from '../clients/scopes.js'
import type { Claims } from '../jose/jws.js'
import type { Client, Registration } from '../ports/client.js'
import { type Deployment, numericDate } from '../ports/deployment.js'
import type { ClientAuthenticationMethod } from '../ports/methods.js'
import type { Policy } from '../ports/policy-options.js'
import { type AcceptedRegistration, accept } from './acceptance.js'
import { renewTokens } from './access-token.js'
import { renewSecret } from './credentials.js'
import { type ClientInformation, informationOf } from './information.js'
import { authorizeUnlessDeleted, type Count, type Managed, type ManagementRequest } from './management.js'

/** Replaces all metadata of a client with those of the request (RFC 7592 2.2). */
export async function updateRegistration(
  deployment: Deployment,
  request: ManagementRequest & { readonly body: Claims },
  count: Count,
): Promise<ClientInformation> {
  const managed = await authorizeUnlessDeleted(deployment, request, count)
  const { client } = managed
  const { clientId } = client
  const { body } = request
  validateMembers(client, body)
  const { permitted, scopes, policy } = await boundsOfUpdate(deployment, managed)
  const accepted = await accept(deployment, {
    operation: 'update',
    clientId,
    registeredBy: client.registeredBy?.clientId ?? clientId,
    body,
    policy,
    bounds: { scopes: new Set(permitted), boundMethods: boundMethodsOf(client.bindings) },
    ...(client.metadata && { current: client.metadata }),
  })
  const { client: updated, ...shown } = updatedClient(deployment, managed, {
    metadata: accepted.metadata,
    methods: methodsAfter(client, accepted),
    policy,
    scopes,
    isSecretShown: Object.hasOwn(body, 'client_secret'),
  })
  await save(deployment, updated)
  const tokenRotated = shown.token !== managed.token.text
  const secretRenewed = shown.secret !== undefined
  deployment.emit('client.updated', { clientId, tokenRotated, secretRenewed }, request.presented)
  return informationOf(updated, shown)
}

/** RFC 7592 2.2: an update MUST NOT have these members of the answer. The server alone sets them. */
const SET_BY_SERVER = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
]

function validateMembers(client: Client, body: Claims): void {
  const set = SET_BY_SERVER.find((name) => Object.hasOwn(body, name))
  if (set !== undefined)
    throw malformed('metadata_invalid', `${set}: leave it out of an update (RFC 7592 2.2).`)
  // RFC 7592 2.2: the client_id MUST be there, and unchanged.
  if (body.client_id !== client.clientId)
    throw malformed('metadata_invalid', 'client_id: expected the client_id of this registration.')
  // RFC 7592 2.2: a client MUST NOT choose its secret.
  if (!Object.hasOwn(body, 'client_secret')) return
  const shown = new Secret(typeof body.client_secret === 'string' ? body.client_secret : '')
  if (!secretMatches(shown, client.secretHash))
    throw malformed(
      'metadata_invalid',
      'client_secret: expected the current secret; send that, or leave it out.',
    )
}

/**
 * Limits what the client may have after the update: by its registration, and by the present policy of the client that
 * asked for the key of the registration. If that client has been deleted, the present policy of the updated client
 * itself is the limit.
 */
async function boundsOfUpdate(deployment: Deployment, { client, registration }: Managed) {
  const { registeredBy } = client
  const registrar = registeredBy && (await findClient(deployment, registeredBy.clientId))
  const bounds = registrar && deployment.policyOf(registrar)
  const most = bounds ? clientScopes(bounds) : deployment.policyOf(client).scopes
  const scopes = scopesLeft(client, registration)
  const policy = deployment.policyOf(client, bounds && boundsOf(bounds))
  if (policy.audiences.length === 0 || policy.networks?.length === 0)
    throw refusedUpdate('The policy leaves this client no audience or no network; ask the operator for one.')
  return { permitted: scopes.filter((scope) => most.has(scope)), scopes, policy }
}

/**
 * The scopes that the client may ask for in this update and later ones.
 *
 * Each update makes the scopes of the policy equal to the registered ones. So if the policy lacks a registered scope, an
 * operator has removed it. Then only the scopes of the policy remain. They lack the scopes that the client itself has
 * given up, so it can no longer ask for those either.
 */
function scopesLeft({ metadata, policy }: Client, { scopes: most }: Registration): readonly string[] {
  const registered = typeof metadata?.scope === 'string' ? parseScope(metadata.scope) : []
  const remaining = policy?.scopes
  if (remaining === undefined || registered.every((scope) => remaining.includes(scope))) return most
  return most.filter((scope) => remaining.includes(scope))
}

/**
 * How the client may authenticate after the update. With an unchanged method it keeps all its methods. If an operator has
 * withdrawn the registered method, an update cannot restore it or replace it by another one. Otherwise a client without
 * any method could get one by itself.
 */
function methodsAfter(
  { metadata, authenticationMethods, boundMethods = [] }: Client,
  accepted: AcceptedRegistration,
): readonly ClientAuthenticationMethod[] {
  const { token_endpoint_auth_method: method } = accepted.metadata
  const before = metadata?.token_endpoint_auth_method
  const isWithdrawn = authenticationMethods.every((one) => one !== before)
  if ((isWithdrawn || method === before) && !authenticationMethods.includes(method))
    throw refusedUpdate(
      'The client may no longer authenticate by this method; ask the operator to allow it again.',
    )
  return method === before
    ? authenticationMethods.filter((one) => !boundMethods.includes(one))
    : accepted.methods
}

interface Update extends AcceptedRegistration {
  readonly policy: Policy
  /** The scopes that later updates may ask for. */
  readonly scopes: readonly string[]
  /** Whether the request contains the current secret. */
  readonly isSecretShown: boolean
}

function updatedClient(
  deployment: Deployment,
  { client, registration, token }: Managed,
  { metadata, methods, policy, scopes: most, isSecretShown }: Update,
) {
  const { clientId, secretHash: _, secretExpiresAt: __, boundMethods: ___, ...rest } = client
  const secret = renewSecret(deployment, { client, methods, isSecretShown })
  const renewed = renewTokens(deployment, { clientId, tokens: registration.tokens, presented: token })
  const scopes = metadata.scope === undefined ? [] : parseScope(metadata.scope)
  const [audience = ''] = policy.audiences
  // What an operator has granted stays, within the bounds. The client cannot ask for it.
  const { subjects = [], introspectAudiences = [] } = client.policy ?? {}
  const granted = { audiences: policy.audiences, subjects, introspectAudiences }
  // The constraints in the old metadata end with them. They must not become a part of the stored policy.
  const lasting = { ...policy, registeredConstraints: [] }
  const updated = {
    ...rest,
    clientId,
    ...secret.stored,
    revision: client.revision + 1,
    authenticationMethods: methods,
    policy: { ...inheritedPolicy(lasting, { scopes, defaultScopes: scopes, audience }), ...granted },
    metadata,
    registration: {
      ...registration,
      scopes: most,
      tokens: renewed.tokens,
      ...(secret.issued !== undefined && { secretRenewedAt: numericDate(deployment) }),
    },
  }
  return {
    client: withBindings<Client>(updated, client.bindings ?? []),
    token: renewed.text,
    secret: secret.issued,
  }
}

/** Saves the client once, without retries: the update was checked against the client as it was before. */
async function save(deployment: Deployment, client: Client): Promise<void> {
  const { registry } = deployment
  // If the client was deleted and registered again since, the revisions can be equal.
  const stored = await callRegistry(() => registry.find(client.clientId))
  const isSame = stored?.registeredBy?.keyId === client.registeredBy?.keyId
  if (isSame && (await callRegistry(() => registry.save(client)))) return
  const message = 'The client was changed by another request at the same moment; read it and try again.'
  throw malformed('client_changed', message, { clientId: client.clientId })
}

function refusedUpdate(message: string) {
  return malformed('registration_refused', message)
}
