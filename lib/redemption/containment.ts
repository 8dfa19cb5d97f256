import { ProvisioningError } from '../base/errors.js'
import type { RequestSource } from '../base/request.js'
import { comesFrom, withBindings, withoutBindings } from '../clients/bound-keys.js'
import { emitUnbound } from '../clients/client-events.js'
import { callRegistry, changeClient, findClient, presentClient, readRecord } from '../clients/registry.js'
import { TOKEN_SCOPE } from '../clients/scopes.js'
import type { Binding, Client } from '../ports/client.js'
import {
  callStore,
  type Deployment,
  numericDate,
  type StoringDeployment,
  type VerifyingDeployment,
} from '../ports/deployment.js'
import type { ReplayContainment } from '../ports/policy-options.js'
import type { FamilyEnd, FamilyFate } from '../ports/redemption.js'
import type { KeyRef, RevokeFamilyOutcome } from '../ports/store.js'
import { deleteClient } from '../registration/deletion.js'
import { registeredIdOf } from './key-state.js'

/**
 * Contains a replay. Somebody has copied a redeemed key that is presented again, so the results of its redemption are
 * revoked (RFC 9700 2.2.2, RFC 6749 4.1.2). The key is verified before, so a forger can revoke nothing.
 *
 * The store revokes the family atomically, and every use of a token checks the family. So a token that is minted
 * meanwhile is useless when it arrives. Then the changes in the client registry are undone. If that fails, the next
 * replay tries again. A process without a registry emits that they still exist.
 *
 * @returns what it has done, in one sentence for the person who tests a deployment
 * @throws ProvisioningError `store_unavailable`, `registry_unavailable`, `client_contended`
 */
export async function containReplay(
  deployment: StoringDeployment | Deployment,
  key: KeyRef & { readonly subject?: string; readonly scope: readonly string[] },
  source?: RequestSource,
): Promise<string | undefined> {
  const { jti: keyId, clientId, subject } = key
  const whose = { keyId, clientId, ...(subject !== undefined && { subject }) }
  const emitReplay = (familyRevoked: boolean, end: RegistryEnd) => {
    const action = isLeftToRoute(end.family, key.scope) ? ({ action: 'route' } as const) : {}
    deployment.emit('key.replayed', { ...whose, familyRevoked, ...end, ...action }, source)
  }
  const outcome = await callStore(() => deployment.store.revokeFamily(key)).catch((error) => {
    // The replay took place, whether or not the store can contain it.
    emitReplay(false, { family: { fate: 'unreached' } })
    throw error
  })
  const emit = (end: RegistryEnd) => emitReplay(outcome === 'revoked', end)
  const { family } = await undoInRegistry(deployment, key, 'replay', emit)
  return consequenceOf(family, key.scope)
}

/** Whether a route redeemed the key. Every other redemption names a client, or needs the scope for an access token. */
function isLeftToRoute(family: FamilyEnd['family'], scope: readonly string[]): boolean {
  return family === undefined && !scope.includes(TOKEN_SCOPE)
}

const LEFT_TO_APP =
  'The server cannot undo what your route did with the key: undo this when you get the event key.replayed.'

/** What a replay has done to the results of a key. `undefined` if they could not be found out. */
function consequenceOf(family: FamilyEnd['family'], scope: readonly string[]): string | undefined {
  if (isLeftToRoute(family, scope)) return LEFT_TO_APP
  if (family === undefined) return 'Any access token of the key is revoked.'
  const { clientId, fate } = family
  if (clientId === undefined) return undefined
  return {
    revoked: `This replay removed what the key had registered or bound: ${clientId}.`,
    flagged: `This replay marked what the key had registered or bound: ${clientId}.`,
    gone: `What the key had registered or bound is gone: ${clientId}.`,
    unreached: `This server cannot remove what the key had registered or bound: ${clientId}.`,
  }[fate]
}

/**
 * Revokes the results of a redeemed key, as a replay does, under any policy.
 *
 * @throws ProvisioningError as `containReplay` does, and `server_fault` where clients cannot be saved
 */
export async function revokeFamily(deployment: Deployment, key: KeyRef): Promise<RevokeFamilyOutcome> {
  const outcome = await callStore(() => deployment.store.revokeFamily(key))
  if (outcome === 'not_redeemed' || outcome === 'unknown') return outcome
  const { jti: keyId, clientId } = key
  const familyRevoked = outcome === 'revoked'
  const hasChanged = ({ family }: RegistryEnd) =>
    familyRevoked || family?.fate === 'revoked' || family?.fate === 'unreached'
  const end = await undoInRegistry(deployment, key, 'operator', (ended) => {
    if (hasChanged(ended)) deployment.emit('family.revoked', { keyId, clientId, familyRevoked, ...ended })
  })
  if (end.family?.fate === 'unreached') throw new ProvisioningError('server_fault', NOT_WRITABLE)
  return hasChanged(end) ? 'revoked' : 'unchanged'
}

/**
 * Removes what an interrupted redemption of a revoked key has left in the client registry. Otherwise the client or the
 * binding would become valid when the store forgets the key. Nobody could use it before, so there are no tokens to revoke.
 *
 * @param outcome the outcome of the revocation
 */
export async function removeLeftovers(
  deployment: VerifyingDeployment | Deployment,
  key: KeyRef,
  outcome: string | undefined,
): Promise<void> {
  if (outcome !== 'revoked' && outcome !== 'unchanged') return
  if (!('registryWritable' in deployment) || !deployment.registryWritable) return
  const { subject } = (await callStore(() => deployment.store.find(key))) ?? {}
  if (subject === undefined) return
  const { registry } = deployment
  for (const clientId of new Set([subject, registeredIdOf({ ...key, subject })])) {
    const record = presentClient(await readRecord(deployment, clientId))
    if (record !== undefined && existsOnlyThrough(key, record))
      await callRegistry(() => registry.delete(clientId, record.revision))
    else await changeClient(deployment, clientId, (client) => withoutBindings(client, comesFrom(key.jti)))
  }
}

/** Whose key it was, and what happened to the client that its redemption created or changed. */
type RegistryEnd = Pick<FamilyEnd, 'family'> & { readonly subject?: string }

const NOT_WRITABLE = 'clients is a lookup function: what the key registered or bound cannot be revoked.'

/** Who ends a family. */
type Ender = 'replay' | 'operator'

/** The policy of the client that asked for the key decides. If that client has been deleted, the family is revoked. */
async function containmentOf(deployment: Deployment, { clientId }: KeyRef): Promise<ReplayContainment> {
  const asker = await findClient(deployment, clientId)
  return asker === undefined ? 'revoke' : deployment.policyOf(asker).onReplay
}

/**
 * Undoes the changes of a redemption in the client registry. Emits the result, also on failure. The policy can keep the
 * changes after a replay, but not when an operator revokes them.
 */
async function undoInRegistry(
  deployment: StoringDeployment | Deployment,
  key: KeyRef,
  by: Ender,
  emit: (end: RegistryEnd) => void,
): Promise<RegistryEnd> {
  let end: RegistryEnd = { family: { fate: 'unreached' } }
  try {
    const { subject, familyClientId: clientId } = (await callStore(() => deployment.store.find(key))) ?? {}
    const whose = subject === undefined ? {} : { subject }
    end = clientId === undefined ? whose : { ...whose, family: { clientId, fate: 'unreached' } }
    if (clientId !== undefined && 'registry' in deployment && deployment.registryWritable) {
      const isFlagged = by === 'replay' && (await containmentOf(deployment, key)) === 'flag'
      const family = { deployment, key, clientId }
      end = {
        ...whose,
        family: { clientId, fate: isFlagged ? await flag(family) : await revoke(family, by) },
      }
    }
  } finally {
    emit(end)
  }
  return end
}

interface Family {
  readonly deployment: Deployment
  readonly key: KeyRef
  /** The client that the redemption created or changed. */
  readonly clientId: string
}

/** Whether the key created this client. Another key may have created the same identity again since. */
function isRegisteredBy({ clientId, jti }: KeyRef, { registeredBy }: Client): boolean {
  return registeredBy?.clientId === clientId && registeredBy.keyId === jti
}

/** Whether the client exists only because of the key: the key registered it, or created it with all its methods. */
function existsOnlyThrough(key: KeyRef, client: Client): boolean {
  if (!isRegisteredBy(key, client)) return false
  if (client.registration !== undefined) return true
  const haveAllOneOrigin = client.bindings?.every(comesFrom(key.jti)) ?? true
  return haveAllOneOrigin && withBindings(client, []).authenticationMethods.length === 0
}

/** Deletes the client if it exists only because of the key. Otherwise removes the bindings that come from the key. */
async function revoke({ deployment, key, clientId }: Family, by: Ender): Promise<FamilyFate> {
  const provided = (client: Client) => existsOnlyThrough(key, client)
  if ((await deleteClient(deployment, clientId, { by, provided })) === 'deleted') return 'revoked'
  const isFromKey = comesFrom(key.jti)
  const changed = await changeClient(deployment, clientId, (client) => withoutBindings(client, isFromKey))
  emitUnbound(deployment.emit, clientId, changed?.before?.bindings?.filter(isFromKey) ?? [], { by })
  return changed === undefined ? 'gone' : 'revoked'
}

/** Flags the client or its bindings, once. A flagged registration also loses its registration access tokens. */
async function flag({ deployment, key, clientId }: Family): Promise<FamilyFate> {
  const { jti: keyId } = key
  const flaggedAt = numericDate(deployment)
  let fate: FamilyFate = 'gone'
  const changed = await changeClient(deployment, clientId, (client) => {
    const isRegistered = client?.registration !== undefined && isRegisteredBy(key, client)
    const isThere = isRegistered || client?.bindings?.some(comesFrom(keyId))
    fate = isThere ? 'flagged' : 'gone'
    return (
      client && (isRegistered ? flagRegistration(client, flaggedAt) : flagBindings(client, keyId, flaggedAt))
    )
  })
  if (changed === undefined) return fate
  const bindings = changed.before?.bindings?.filter((one) => isToFlag(one, keyId)) ?? []
  if (bindings.length === 0) deployment.emit('client.flagged', { clientId, keyId })
  for (const { bindingId } of bindings) deployment.emit('client.flagged', { clientId, keyId, bindingId })
  return fate
}

function flagRegistration(client: Client, flaggedAt: number): Client | undefined {
  const { registration } = client
  if (registration === undefined || client.flaggedAt !== undefined) return undefined
  return { ...client, registration: { ...registration, tokens: [] }, flaggedAt }
}

function isToFlag(binding: Binding, keyId: string): boolean {
  return comesFrom(keyId)(binding) && binding.flaggedAt === undefined
}

function flagBindings(client: Client, keyId: string, flaggedAt: number): Client | undefined {
  const { bindings = [] } = client
  if (!bindings.some((one) => isToFlag(one, keyId))) return undefined
  return {
    ...client,
    bindings: bindings.map((one) => (isToFlag(one, keyId) ? { ...one, flaggedAt } : one)),
  }
}
