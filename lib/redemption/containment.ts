import { ProvisioningError } from '../base/errors.js'
import { emitUnbound } from '../clients/bindings.js'
import { comesFrom, withBindings, withoutBindings } from '../clients/bound-keys.js'
import { changeClient, findClient } from '../clients/registry.js'
import type { Binding, Client } from '../ports/client.js'
import { callStore, type Deployment, numericDate, type StoringDeployment } from '../ports/deployment.js'
import type { FamilyEnd, FamilyFate } from '../ports/events.js'
import type { ReplayContainment } from '../ports/policy-options.js'
import type { KeyRef, RevokeFamilyOutcome } from '../ports/store.js'
import { deleteClient } from '../registration/management/deletion.js'

/**
 * A redeemed key that is presented once more was copied by somebody: what its redemption brought forth is revoked
 * (RFC 9700 2.2.2, RFC 6749 4.1.2). The key was verified before, so that a forger revokes nothing.
 *
 * The fence is in the store, atomically with the redemption, and is looked at whenever a token of the family is used:
 * one that is minted at this very moment is good for nothing when it arrives. Then what stands in the client registry
 * is taken back; where that does not succeed, the next replay tries again. Who has no registry tells that it is left.
 *
 * @throws ProvisioningError `store_unavailable`, `registry_unavailable`, `client_contended`
 */
export async function containReplay(
  deployment: StoringDeployment | Deployment,
  key: KeyRef,
  address?: string,
): Promise<void> {
  const { jti: keyId, clientId } = key
  const emitReplay = (familyRevoked: boolean) => (end: Pick<FamilyEnd, 'family'>) =>
    deployment.emit('key.replayed', { keyId, clientId, address, familyRevoked, ...end })
  const outcome = await callStore(() => deployment.store.revokeFamily(key)).catch((error) => {
    // The replay took place, whether or not the store can contain it.
    emitReplay(false)({ family: { fate: 'unreached' } })
    throw error
  })
  const emit = emitReplay(outcome === 'revoked')
  await endInRegistry(deployment, key, { by: 'replay', containment: containmentOf }, emit)
}

/**
 * Revokes what a redeemed key brought forth, as a replay of it does, whatever policy says of those.
 *
 * @throws ProvisioningError as `containReplay` does, and `server_fault` where clients cannot be saved
 */
export async function revokeFamily(deployment: Deployment, key: KeyRef): Promise<RevokeFamilyOutcome> {
  const outcome = await callStore(() => deployment.store.revokeFamily(key))
  if (outcome === 'not_redeemed' || outcome === 'unknown') return outcome
  const { jti: keyId, clientId } = key
  const familyRevoked = outcome === 'revoked'
  const hasChanged = ({ family }: Pick<FamilyEnd, 'family'>) =>
    familyRevoked || family?.fate === 'revoked' || family?.fate === 'unreached'
  const end = await endInRegistry(deployment, key, { by: 'operator', containment: strictly }, (ended) => {
    if (hasChanged(ended)) deployment.emit('family.revoked', { keyId, clientId, familyRevoked, ...ended })
  })
  if (end.family?.fate === 'unreached') throw new ProvisioningError('server_fault', NOT_WRITABLE)
  return hasChanged(end) ? 'revoked' : 'unchanged'
}

const NOT_WRITABLE = 'clients is a lookup function: what the key registered or bound cannot be revoked.'

/** On whose behalf a family ends, and how strictly. */
interface Ending {
  readonly by: 'replay' | 'operator'
  readonly containment: (deployment: Deployment, key: KeyRef) => Promise<ReplayContainment>
}

const strictly = async (): Promise<ReplayContainment> => 'revoke'

/** As the policy of the client says that asked for the key; strictly, when that is no more. */
async function containmentOf(deployment: Deployment, { clientId }: KeyRef): Promise<ReplayContainment> {
  const asker = await findClient(deployment, clientId)
  return asker === undefined ? 'revoke' : deployment.policyOf(asker).onReplay
}

/** Ends what a redemption has brought into the client registry, and tells of it, though it be that it failed. */
async function endInRegistry(
  deployment: StoringDeployment | Deployment,
  key: KeyRef,
  { by, containment }: Ending,
  emit: (end: Pick<FamilyEnd, 'family'>) => void,
): Promise<Pick<FamilyEnd, 'family'>> {
  let end: Pick<FamilyEnd, 'family'> = { family: { fate: 'unreached' } }
  try {
    const clientId = (await callStore(() => deployment.store.find(key)))?.familyClientId
    end = clientId === undefined ? {} : { family: { clientId, fate: 'unreached' } }
    if (clientId !== undefined && 'registry' in deployment && deployment.registryWritable) {
      const isFlagged = (await containment(deployment, key)) === 'flag'
      const family = { deployment, key, clientId }
      end = { family: { clientId, fate: isFlagged ? await flag(family) : await revoke(family, by) } }
    }
  } finally {
    emit(end)
  }
  return end
}

interface Family {
  readonly deployment: Deployment
  readonly key: KeyRef
  /** The client that the redemption brought forth or changed. */
  readonly clientId: string
}

/** Whether the key brought this very client forth: the same identity may have come back by another since. */
function isBroughtBy({ clientId, jti }: KeyRef, { registeredBy }: Client): boolean {
  return registeredBy?.clientId === clientId && registeredBy.keyId === jti
}

/** Whether nothing of a client would be left: the key registered it, or brought it forth with all by which it is somebody. */
function isWhollyOf(key: KeyRef, client: Client): boolean {
  if (!isBroughtBy(key, client)) return false
  const isOurs = client.bindings?.every(comesFrom(key.jti)) ?? true
  return (
    client.registration !== undefined ||
    (isOurs && withBindings(client, []).authenticationMethods.length === 0)
  )
}

async function revoke({ deployment, key, clientId }: Family, by: Ending['by']): Promise<FamilyFate> {
  const provided = (client: Client) => isWhollyOf(key, client)
  if ((await deleteClient(deployment, clientId, { by, provided })) === 'deleted') return 'revoked'
  const isOurs = comesFrom(key.jti)
  const changed = await changeClient(deployment, clientId, (client) => withoutBindings(client, isOurs))
  emitUnbound(deployment.emit, clientId, changed?.before?.bindings?.filter(isOurs) ?? [], by)
  return changed === undefined ? 'gone' : 'revoked'
}

/** Leaves what is there, marked once; a registration can no longer be managed by what the key brought. */
async function flag({ deployment, key, clientId }: Family): Promise<FamilyFate> {
  const { jti: keyId } = key
  const flaggedAt = numericDate(deployment)
  let fate: FamilyFate = 'gone'
  const changed = await changeClient(deployment, clientId, (client) => {
    const isRegistered = client?.registration !== undefined && isBroughtBy(key, client)
    const isThere = isRegistered || client?.bindings?.some(comesFrom(keyId))
    fate = isThere ? 'flagged' : 'gone'
    return client && (isRegistered ? flagged(client, flaggedAt) : withFlags(client, keyId, flaggedAt))
  })
  if (changed === undefined) return fate
  const bindings = changed.before?.bindings?.filter((one) => isDoubtful(one, keyId)) ?? []
  if (bindings.length === 0) deployment.emit('client.flagged', { clientId, keyId })
  for (const { bindingId } of bindings) deployment.emit('client.flagged', { clientId, keyId, bindingId })
  return fate
}

function flagged(client: Client, flaggedAt: number): Client | undefined {
  const { registration } = client
  if (registration === undefined || client.flaggedAt !== undefined) return undefined
  return { ...client, registration: { ...registration, tokens: [] }, flaggedAt }
}

function isDoubtful(binding: Binding, replayed: string): boolean {
  return comesFrom(replayed)(binding) && binding.flaggedAt === undefined
}

function withFlags(client: Client, keyId: string, flaggedAt: number): Client | undefined {
  const { bindings = [] } = client
  if (!bindings.some((one) => isDoubtful(one, keyId))) return undefined
  return {
    ...client,
    bindings: bindings.map((one) => (isDoubtful(one, keyId) ? { ...one, flaggedAt } : one)),
  }
}
