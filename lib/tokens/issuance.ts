import { disclosing, ProvisioningError } from '../base/errors.js'
import type { Parameters, PresentedRequest } from '../base/request.js'
import type { AuthenticatedClient } from '../clients/authentication/authenticate.js'
import { permitTerms } from '../clients/policy.js'
import { findClient } from '../clients/registry.js'
import { callStore, type Deployment } from '../ports/deployment.js'
import { PROVEN_BY } from '../ports/methods.js'
import type { Confirmation, KeyRecord, RecordOutcome } from '../ports/store.js'
import { proofReader } from '../possession/dpop.js'
import { constrain } from '../possession/possession.js'
import type { Target } from '../possession/target.js'
import { mint, newKey } from './provisioning-key.js'

/** A key on its way to the client. `key` is the one place where its text appears. */
export interface IssuedKey {
  readonly key: string
  readonly record: KeyRecord
}

/** Issues a provisioning key to an authenticated client, on the terms that policy allows. */
export type Issue = (client: AuthenticatedClient, asked: Asked) => Promise<IssuedKey>

/** What is asked for, and how. */
export interface Asked {
  readonly parameters: Parameters
  readonly presented: PresentedRequest
  readonly target: Target
}

export function issuer(deployment: Deployment): Issue {
  const readProof = proofReader(deployment)

  return function issue(client, { parameters, presented, target }) {
    return disclosing({ clientId: client.clientId }, async () => {
      if (!client.grantTypes.includes('client_credentials')) {
        throw new ProvisioningError(
          'grant_not_permitted',
          'The client has not registered the grant client_credentials.',
        )
      }
      const proof = readProof(presented, target)
      const possession = { proof, certificate: presented.certificate?.thumbprint }
      const terms = permitTerms(client.clientId, client.policy, parameters)
      // Not a key for somebody else, who could not present it: there the certificate says only who asks.
      const isOwn = terms.subject === client.clientId
      const certificateUsed = isOwn && PROVEN_BY[client.method] === 'certificate'
      const confirmation = constrain(client.policy, possession, certificateUsed)
      const drawn = newKey(deployment, client, terms, confirmation)
      await proof?.spend(client)
      await record(deployment, drawn.record, client)
      await requireStillClient(deployment, drawn.record)
      const key = mint(deployment, drawn)
      const { jti: keyId, clientId, subject, scope, audience, expiresAt } = drawn.record
      deployment.emit('key.issued', {
        keyId,
        clientId,
        subject,
        scope,
        audience,
        expiresAt,
        ...confirmationFact(confirmation),
      })
      return { key, record: drawn.record }
    })
  }
}

function confirmationFact(confirmation: Confirmation | undefined) {
  return confirmation === undefined ? {} : { confirmation }
}

/**
 * A client that is deleted while it asks must not be left with a key: what was recorded before the deletion is revoked
 * by that, and what is recorded after it finds no client here.
 */
async function requireStillClient(deployment: Deployment, key: KeyRecord): Promise<void> {
  if (!deployment.registryWritable || (await findClient(deployment, key.clientId)) !== undefined) return
  await callStore(() => deployment.store.revoke(key))
  throw new ProvisioningError('client_unknown', 'The client has been deleted.')
}

async function record(
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
      'All keys that are issued at this moment have been revoked; ask again in a few seconds.',
      { facts: { retryAfterSeconds: clockToleranceSeconds + 1 } },
    ),
  outstanding: (limit) =>
    new ProvisioningError(
      'too_many_keys_outstanding',
      `The client has ${limit} keys that are neither redeemed nor expired, or all clients of its registrar fill half of the store; redeem or revoke some keys first, or wait until some expire.`,
      { facts: { retryAfterSeconds: 60 } },
    ),
  full: () => new ProvisioningError('store_full', 'The store of keys is full.'),
  duplicate: () =>
    new ProvisioningError('store_unavailable', 'The store knows a key that was never issued before.'),
}
