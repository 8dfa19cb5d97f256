import { malformed } from '../../base/errors.js'
import { withoutUndefined } from '../../base/object.js'
import type { RequestSource } from '../../base/request.js'
import { inheritedPolicy } from '../../clients/policy.js'
import { callRegistry, findRecord } from '../../clients/registry.js'
import { clientScopes, parseScope } from '../../clients/scopes.js'
import type { Claims } from '../../jose/jws.js'
import { type Client, nextRevision } from '../../ports/client.js'
import { type Deployment, numericDate } from '../../ports/deployment.js'
import type { Policy } from '../../ports/policy-options.js'
import { type AcceptedRegistration, accept } from '../../registration/acceptance.js'
import { issueRegistrationToken } from '../../registration/access-token.js'
import { issueSecret } from '../../registration/credentials.js'
import { type ClientInformation, informationOf } from '../../registration/information.js'
import type { VerifiedKey } from '../../tokens/provisioning-key.js'
import { registeredIdOf, requireState, type Verified } from '../key-state.js'
import { bodyDigest } from '../outcome.js'
import { type ActionResult, runAction } from '../run-action.js'
import { policyOfKey, requireNotUndone } from './key-client.js'

/** Redeems a key, as the Initial Access Token of RFC 7591, to register a client. */
export async function registerClient(
  deployment: Deployment,
  verified: Verified,
  { body, source }: { readonly body: Claims; readonly source?: RequestSource | undefined },
): Promise<ClientInformation> {
  const { key } = verified
  const clientId = identityFor(key)
  return runAction(deployment, verified, {
    action: 'register',
    source,
    digest: bodyDigest('register', body),
    requireResults: (outcome) => requireRegistered(deployment, key, JSON.parse(outcome.toString())),
    validate: () => validate(deployment, key, clientId, body),
    async act(registration) {
      const result = await save(deployment, key, registration)
      if (result !== undefined) return result
      // Another request has changed the client since. It removed a leftover, or the identity is taken. Or it has resumed and
      // completed this redemption: then its client must stay.
      await requireState(deployment, key, 'redeeming')
      const again = await save(deployment, key, await validate(deployment, key, clientId, body))
      if (again === undefined) throw taken()
      return again
    },
  })
}

function requireRegistered(
  deployment: Deployment,
  key: VerifiedKey,
  answer: ClientInformation,
): Promise<void> {
  const isFromKey = ({ registeredBy }: Client) => registeredBy?.keyId === key.jti
  return requireNotUndone(deployment, key, answer, isFromKey)
}

async function validate(
  deployment: Deployment,
  key: VerifiedKey,
  clientId: string,
  body: Claims,
): Promise<Registration> {
  const policy = await policyOfKey(deployment, key)
  const scopes = clientScopes(policy, key.scope)
  const application = { operation: 'register', clientId, registeredBy: key.clientId, body, policy } as const
  const accepted = await accept(deployment, { ...application, bounds: { scopes } })
  const before = await findRecord(deployment, clientId)
  if (before !== undefined && !isLeftover(before, key)) throw taken()
  return { clientId, policy, scopes, accepted, before }
}

/** Whether an interrupted attempt at the same redemption left this client, or an undo. Nobody has used it. */
function isLeftover({ registeredBy, deletedAt, undoneAt }: Client, { clientId, jti }: VerifiedKey): boolean {
  if (undoneAt !== undefined) return true
  return deletedAt === undefined && registeredBy?.clientId === clientId && registeredBy.keyId === jti
}

function identityFor(key: VerifiedKey): string {
  const clientId = registeredIdOf(key)
  // A path cannot end in dots alone: the client could never reach its registration (RFC 3986 5.2.4).
  if (/^\.{1,2}$/.test(clientId))
    throw malformed('registration_refused', 'A subject that consists of dots cannot become a client id.')
  return clientId
}

/** A registration that has been validated. */
interface Registration {
  readonly clientId: string
  /** The policy of the client that asked for the key. */
  readonly policy: Policy
  /** The scopes that the new client may have at most, now and after updates. */
  readonly scopes: ReadonlySet<string>
  readonly accepted: AcceptedRegistration
  /** The leftover of an interrupted attempt, which the new client replaces. */
  readonly before: Client | undefined
}

function newClient(
  deployment: Deployment,
  key: VerifiedKey,
  { clientId, policy, scopes: most, accepted: { metadata, methods }, before }: Registration,
) {
  const scopes = metadata.scope === undefined ? [] : parseScope(metadata.scope)
  const secret = issueSecret(deployment, methods)
  const token = issueRegistrationToken(deployment, clientId)
  const now = numericDate(deployment)
  const { confirmWithinSeconds } = policy
  const deadline = confirmWithinSeconds === undefined ? {} : { confirmBy: now + confirmWithinSeconds }
  const client: Client = {
    clientId,
    revision: nextRevision(before),
    ...secret.stored,
    authenticationMethods: methods,
    policy: inheritedPolicy(policy, { scopes, defaultScopes: scopes, audience: key.audience }),
    metadata,
    registeredBy: { clientId: key.clientId, keyId: key.jti },
    registration: { ...deadline, issuedAt: now, scopes: [...most], tokens: [token.stored] },
  }
  return { client, token: token.text, secret: secret.issued }
}

/** Resolves with `undefined` if another request has changed the client since its validation. */
async function save(
  deployment: Deployment,
  key: VerifiedKey,
  registration: Registration,
): Promise<ActionResult<ClientInformation> | undefined> {
  const { registry } = deployment
  const { before } = registration
  const { client, token, secret } = newClient(deployment, key, registration)
  const { clientId, revision } = client
  if (!(await callRegistry(() => registry.save(client)))) return undefined
  const { jti: keyId, clientId: registeredBy, subject } = key
  return {
    result: informationOf(client, { token, secret }),
    familyClientId: clientId,
    // Observers must hear of the new client, since it can ask for keys of its own.
    emit(source) {
      const ids = { keyId, clientId: registeredBy, subject, registeredClientId: clientId }
      const details = withoutUndefined({ ...ids, confirmBy: client.registration?.confirmBy })
      deployment.emit('client.registered', details, source)
    },
    async undo(isSuperseded) {
      // If the client was deleted and registered again since, the revisions can be equal.
      if ((await registry.find(clientId))?.registeredBy?.keyId !== keyId) return
      // The leftover that this attempt replaced may be the result of the attempt that superseded it. The record of a client
      // that was undone always stays.
      if (before !== undefined && (isSuperseded || before.undoneAt !== undefined))
        await registry.save({ ...before, revision: revision + 1 })
      else await registry.delete(clientId, revision)
    },
  }
}

function taken() {
  return malformed('client_exists', 'A client with the subject of the key as its id exists already.')
}
