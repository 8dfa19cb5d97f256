import { disclosing, ProvisioningError } from '../base/errors.js'
import type { Parameters, PresentedRequest } from '../base/request.js'
import type { AuthenticatedClient } from '../clients/authentication/authenticate.js'
import { permitTerms } from '../clients/policy.js'
import { findClient } from '../clients/registry.js'
import { audited, callStore, type Deployment } from '../ports/deployment.js'
import { PROVEN_BY } from '../ports/methods.js'
import type { KeyRecord, RecordOutcome } from '../ports/store.js'
import { readProof } from '../possession/dpop.js'
import { constrain } from '../possession/possession.js'
import type { Target } from '../possession/target.js'
import { newKey, signKey } from './provisioning-key.js'

/** An issued key. `key` is the only copy of its text. */
export interface IssuedKey {
  readonly key: string
  readonly record: KeyRecord
}

export interface KeyRequest {
  readonly parameters: Parameters
  readonly presented: PresentedRequest
  readonly target: Target
}

/** Issues a provisioning key to an authenticated client, within the terms of its policy. */
export function issueKey(
  deployment: Deployment,
  client: AuthenticatedClient,
  { parameters, presented, target }: KeyRequest,
): Promise<IssuedKey> {
  return disclosing({ clientId: client.clientId }, async () => {
    const proof = readProof(deployment, presented, { target })
    // This comes before every other refusal: a copy of a refused request must be useless.
    await proof?.spend(client)
    if (!client.grantTypes.includes('client_credentials')) {
      throw new ProvisioningError(
        'grant_not_permitted',
        'The client has not registered the grant client_credentials.',
      )
    }
    const possession = { proof, certificate: presented.certificate?.thumbprint }
    const terms = permitTerms(client, parameters)
    // A key for another subject is not bound to this certificate: the subject could not present it.
    const isOwn = terms.subject === client.clientId
    const certificateUsed = isOwn && PROVEN_BY[client.method] === 'certificate'
    const confirmation = constrain(client.policy, possession, certificateUsed)
    const unsigned = newKey(deployment, client, terms, confirmation)
    const { record } = unsigned
    await storeRecord(deployment, record, client)
    await requireStillClient(deployment, record)
    const key = signKey(deployment, unsigned)
    const { jti: keyId, clientId, subject, scope, audience, expiresAt } = record
    const bound = confirmation && { confirmation }
    const details = { keyId, clientId, subject, scope, audience, expiresAt, ...bound }
    await audited(deployment, 'key.issued', details, client.source).catch(async (error) => {
      // Nobody gets the key, so it must not count as outstanding.
      await deployment.store.revoke(record).catch(() => undefined)
      throw error
    })
    return { key, record }
  })
}

/**
 * A client that is deleted at this moment must not keep a key. The deletion revokes a key that was recorded before it. A
 * key that was recorded later is revoked here.
 */
async function requireStillClient(deployment: Deployment, key: KeyRecord): Promise<void> {
  if (!deployment.registryWritable || (await findClient(deployment, key.clientId)) !== undefined) return
  await callStore(() => deployment.store.revoke(key))
  throw new ProvisioningError('client_unknown', 'The client has been deleted.')
}

async function storeRecord(
  deployment: Deployment,
  key: KeyRecord,
  { policy: { outstandingKeys: outstanding }, registeredBy }: AuthenticatedClient,
): Promise<void> {
  const limits = { outstanding, ...(registeredBy !== undefined && { registeredBy }) }
  const outcome = await callStore(() => deployment.store.record(key, limits))
  if (outcome !== 'recorded') throw refusals[outcome](outstanding, deployment)
}

type Refuse = (outstanding: number, deployment: Deployment) => ProvisioningError

const refusals: Record<Exclude<RecordOutcome, 'recorded'>, Refuse> = {
  revoked: (_, { clockToleranceSeconds }) =>
    new ProvisioningError(
      'issuance_suspended',
      'The keys of this client or of this subject were revoked a moment ago; ask again after Retry-After.',
      { facts: { retryAfterSeconds: clockToleranceSeconds + 1 } },
    ),
  locked: () =>
    new ProvisioningError(
      'client_locked',
      'The client or the subject of the key is locked; an operator can unlock it.',
      // RFC 6749 5.2. A key or token that is refused for the same reason gets `invalid_token`.
      { code: 'unauthorized_client' },
    ),
  unbound: () =>
    new ProvisioningError(
      'possession_required',
      'Each key of this client or for this subject must be bound, because of a lock; send a DPoP proof. A key for the client itself may also be bound to its certificate.',
    ),
  outstanding: (limit) =>
    new ProvisioningError(
      'too_many_keys_outstanding',
      `The client has ${limit} keys that are neither redeemed nor expired, or has one and is throttled, or all clients of its registrar fill half of the store; redeem or revoke some keys first, or wait until some expire.`,
      { facts: { retryAfterSeconds: 60 } },
    ),
  full: () => new ProvisioningError('store_full', 'The store of keys is full.'),
  duplicate: () => new ProvisioningError('store_unavailable', 'The store has a record of a key that is new.'),
}
