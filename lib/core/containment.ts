import type { KeyRef } from '../stores/store.js'
import { tellUnbound } from './bindings.js'
import { withoutBindings } from './bound-keys.js'
import type { Binding, Client } from './client.js'
import { findClient, findKept } from './client-authentication/authenticate.js'
import { asking, type Deployment, numericDate, type StoringDeployment } from './deployment.js'
import type { FamilyFate } from './events.js'
import { deleteClient } from './management/deletion.js'
import type { ReplayContainment } from './policy-options.js'
import { changeClient } from './registry.js'

/**
 * A redeemed key that is presented once more was copied by somebody: what its redemption brought forth is revoked
 * (RFC 9700 2.2.2, RFC 6749 4.1.2). The key was verified before, so that a forger revokes nothing.
 *
 * The fence is in the store, atomically with the redemption, and is looked at whenever a token of the family is used:
 * one that is minted at this very moment is good for nothing when it arrives. Then what stands in the client registry
 * is taken back; where that does not succeed, the next replay tries again.
 *
 * @throws ProvisioningError `store_unavailable`, `registry_unavailable`
 */
export async function containReplay(
  deployment: StoringDeployment | Deployment,
  key: KeyRef,
  address?: string,
): Promise<void> {
  const { jti: keyId, clientId } = key
  const outcome = await asking(() => deployment.store.revokeFamily(key))
  const replayed = { keyId, clientId, address, familyRevoked: outcome === 'revoked' }
  try {
    const family = 'registry' in deployment ? await revokeClient(deployment, key) : undefined
    deployment.emit('key.replayed', { ...replayed, ...(family && { family }) })
  } catch (fault) {
    const familyClientId = fault instanceof Unreached ? fault.clientId : clientId
    deployment.emit('key.replayed', { ...replayed, family: { clientId: familyClientId, fate: 'unreached' } })
    throw fault instanceof Unreached ? fault.cause : fault
  }
}

/** The client registry did not answer. */
class Unreached extends Error {
  readonly clientId: string

  constructor(clientId: string, cause: unknown) {
    super('The family was not reached.', { cause })
    this.clientId = clientId
  }
}

/** Revokes, or flags, what a redemption has brought into the client registry. */
async function revokeClient(
  deployment: Deployment,
  key: KeyRef,
): Promise<{ readonly clientId: string; readonly fate: FamilyFate } | undefined> {
  const entry = await asking(() => deployment.store.find(key))
  const clientId = entry?.familyClientId
  if (clientId === undefined) return undefined
  try {
    const client = await findKept(deployment, clientId)
    if (client === undefined) return { clientId, fate: 'gone' }
    const containment = await containmentOf(deployment, key)
    const fate = isRegisteredBy(key, client)
      ? await revokeRegistration(deployment, key, client, containment)
      : await revokeBindings(deployment, key, clientId, containment)
    return { clientId, fate }
  } catch (fault) {
    throw new Unreached(clientId, fault)
  }
}

/** As the policy of the client says that asked for the key; strictly, when that is no more. */
async function containmentOf(deployment: Deployment, { clientId }: KeyRef): Promise<ReplayContainment> {
  const asker = await findClient(deployment, clientId)
  return asker === undefined ? 'revoke' : deployment.policyOf(asker).onReplay
}

function isRegisteredBy({ clientId, jti }: KeyRef, { registration, registeredBy }: Client): boolean {
  return registration !== undefined && registeredBy?.clientId === clientId && registeredBy.keyId === jti
}

async function revokeRegistration(
  deployment: Deployment,
  { jti: keyId }: KeyRef,
  { clientId }: Client,
  containment: ReplayContainment,
): Promise<FamilyFate> {
  if (containment === 'revoke') {
    await deleteClient(deployment, clientId, 'replay')
    return 'revoked'
  }
  const changed = await changeClient(deployment, clientId, (client) => {
    if (client?.registration === undefined || client.flaggedAt !== undefined) return undefined
    return {
      ...client,
      registration: { ...client.registration, tokens: [] },
      flaggedAt: numericDate(deployment),
    }
  })
  if (changed !== undefined) deployment.emit('client.flagged', { clientId, keyId })
  return 'flagged'
}

async function revokeBindings(
  deployment: Deployment,
  { jti: keyId }: KeyRef,
  clientId: string,
  containment: ReplayContainment,
): Promise<FamilyFate> {
  const isOurs = (binding: Binding) => binding.keyId === keyId
  const isConcerned = (binding: Binding) =>
    isOurs(binding) && (containment === 'revoke' || binding.flaggedAt === undefined)
  const flaggedAt = numericDate(deployment)
  const changed = await changeClient(deployment, clientId, (client) => {
    if (client?.bindings?.some(isConcerned) !== true) return undefined
    if (containment === 'revoke') return withoutBindings(client, isOurs)
    return { ...client, bindings: client.bindings.map((one) => (isOurs(one) ? { ...one, flaggedAt } : one)) }
  })
  const concerned = changed?.before?.bindings?.filter(isConcerned) ?? []
  if (containment === 'revoke') tellUnbound(deployment.emit, clientId, concerned, 'replay')
  else
    for (const { bindingId } of concerned) deployment.emit('client.flagged', { clientId, keyId, bindingId })
  if (concerned.length > 0) return containment === 'revoke' ? 'revoked' : 'flagged'
  const left = (await findKept(deployment, clientId))?.bindings?.some(isOurs) ?? false
  return left ? 'flagged' : 'gone'
}
