import { malformed } from '../../base/errors.js'
import { withoutUndefined } from '../../base/object.js'
import { type BindingAnswer, bindingAnswer } from '../../clients/bindings.js'
import { type ProvenKey, withBindings, withoutBinding, withoutBindings } from '../../clients/bound-keys.js'
import { emitUnbound } from '../../clients/client-events.js'
import { boundsOf, inheritedPolicy, memberBeyond } from '../../clients/policy.js'
import { bindingsWith } from '../../clients/rebinding.js'
import { type Changed, changeClient, findClient } from '../../clients/registry.js'
import { clientScopes } from '../../clients/scopes.js'
import type { Binding, Client } from '../../ports/client.js'
import { callStore, type Deployment, numericDate } from '../../ports/deployment.js'
import type { Policy } from '../../ports/policy-options.js'
import type { KeyEntry } from '../../ports/store.js'
import { randomId, type VerifiedKey } from '../../tokens/provisioning-key.js'
import { requireState, stateRefusal, type Verified } from '../key-state.js'
import { requestDigest } from '../outcome.js'
import { type ActionResult, runAction } from '../run-action.js'
import { type BindingRequest, provenKey } from './binding-proof.js'
import { policyOfKey, requireNotUndone } from './key-client.js'

export interface BindAnswer extends BindingAnswer {
  readonly client_id: string
}

/** Redeems a key to bind a public key or a certificate, whose possession is proven, to the key's subject. */
export async function bindKey(
  deployment: Deployment,
  verified: Verified,
  request: BindingRequest,
): Promise<BindAnswer> {
  const { key } = verified
  const proven = provenKey(deployment, verified, request)
  const binding = newBinding(deployment, key, proven)
  return runAction(deployment, verified, {
    action: 'bind',
    source: request.source,
    // A bearer key has no owner. The owner of the key to bind becomes its owner, and can repeat the request.
    ownerConfirmation: key.confirmation ?? proven.confirmation,
    digest: requestDigest('bind', proven.confirmation),
    requireResults: (outcome) => requireBound(deployment, key, JSON.parse(outcome.toString())),
    // `save` checks this again for each revision of the client. Checked here, a refusal reserves nothing.
    async validate() {
      const client = await findClient(deployment, key.subject)
      bindingsWith(binding, client, await policyFor(deployment, key, client))
    },
    act: () => save(deployment, key, binding),
  })
}

function requireBound(deployment: Deployment, key: VerifiedKey, answer: BindAnswer): Promise<void> {
  const isBinding = ({ bindingId }: Binding) => bindingId === answer.binding_id
  return requireNotUndone(deployment, key, answer, ({ bindings }) => bindings?.some(isBinding) === true)
}

function newBinding(deployment: Deployment, key: VerifiedKey, proven: ProvenKey): Binding {
  const { jti: keyId, clientId, subject, ancestors } = key
  return withoutUndefined({
    bindingId: randomId(),
    ...proven,
    boundAt: numericDate(deployment),
    keyId,
    askedBy: clientId === subject ? undefined : clientId,
    lineage: ancestors.length > 0 ? ancestors : undefined,
  })
}

/** Saves the binding. It replaces a binding that an interrupted attempt at the same redemption left. */
async function save(
  deployment: Deployment,
  key: VerifiedKey,
  given: Binding,
): Promise<ActionResult<BindAnswer>> {
  const changed = await changeClient(deployment, key.subject, async (before) => {
    // Another request may have resumed and completed this redemption since. Then its binding must stay.
    if (before?.bindings?.some(({ keyId }) => keyId === key.jti))
      await requireState(deployment, key, 'redeeming')
    const policy = await policyFor(deployment, key, before)
    return withBindings(before ?? newClient(key, policy), bindingsWith(given, before, policy))
  })
  const left = changed?.after.bindings ?? []
  const binding = left.at(-1) ?? given
  const undo = async (isSuperseded: boolean) =>
    changed && undoSave(deployment, changed, binding, isSuperseded)
  try {
    await requireUnrevoked(deployment, key)
  } catch (error) {
    await undo(false)
    throw error
  }
  const replaced = changed?.before?.bindings?.filter((one) => !left.includes(one)) ?? []
  const { jti: keyId, clientId, subject } = key
  const { bindingId, confirmation, confirmBy } = binding
  const details = { keyId, clientId, subject, bindingId, confirmation: { ...confirmation }, confirmBy }
  return {
    result: { client_id: subject, ...bindingAnswer(binding) },
    familyClientId: subject,
    emit(source) {
      emitUnbound(deployment.emit, subject, replaced, { by: 'replacement', source })
      deployment.emit('client.bound', withoutUndefined(details), source)
    },
    undo,
  }
}

/**
 * Checks that no ancestor of the key has been revoked. A bind saves its binding first, and then looks for a revoked
 * ancestor. A replay revokes first, and then looks for bindings. So at least one of the two finds the other.
 *
 * @throws ProvisioningError `key_revoked`
 */
async function requireUnrevoked({ store }: Deployment, key: VerifiedKey): Promise<void> {
  const ancestors = await callStore(() => Promise.all(key.ancestors.map((ancestor) => store.find(ancestor))))
  const isRevoked = (entry: KeyEntry | undefined) => entry?.familyRevoked || entry?.state === 'revoked'
  if (ancestors.some(isRevoked)) throw stateRefusal('key_revoked', key)
}

/**
 * The policy of the client that asked for the key. If that client is the subject, it is the policy of this revision.
 *
 * @throws ProvisioningError `subject_not_permitted`
 */
async function policyFor(
  deployment: Deployment,
  key: VerifiedKey,
  subject: Client | undefined,
): Promise<Policy> {
  const isOwn = subject !== undefined && key.clientId === key.subject
  if (isOwn) return deployment.policyOf(subject)
  const policy = await policyOfKey(deployment, key)
  // The client can act as an identity once it has bound a key to it. It must not gain permissions in this way.
  if (subject === undefined) return policy
  const beyond = memberBeyond(
    deployment.policyOf(subject),
    deployment.policyOf(subject, boundsOf(policy)),
    policy,
  )
  if (beyond === undefined) return policy
  const message = `The policy of the subject of the key allows more than the policy of the client that asked for the key: ${beyond}.`
  throw malformed('subject_not_permitted', message, { clientId: key.clientId, jti: key.jti })
}

/** The new client for a subject that is not a client yet. */
function newClient(key: VerifiedKey, policy: Policy): Omit<Client, 'revision'> {
  const scopes = [...clientScopes(policy, key.scope)]
  return {
    clientId: key.subject,
    authenticationMethods: [],
    policy: inheritedPolicy(policy, { scopes, audience: key.audience }),
    registeredBy: { clientId: key.clientId, keyId: key.jti },
  }
}

/**
 * Restores the record of the client as it was before. If another request has changed it since, only the binding is removed. A binding
 * that an interrupted attempt had left is removed too, unless another attempt has superseded this one and needs it.
 */
async function undoSave(
  deployment: Deployment,
  { before, after, record }: Changed,
  { bindingId, keyId }: Binding,
  isSuperseded: boolean,
): Promise<void> {
  const { registry } = deployment
  // If the client was deleted and made again since, the revisions can be equal.
  const stored = await registry.find(after.clientId)
  if (!stored?.bindings?.some((one) => one.bindingId === bindingId)) return
  const earlier = isSuperseded ? record : withoutLeftover(record, keyId)
  const restored = earlier && (await withoutUndone(deployment, earlier))
  const isRestored =
    restored === undefined
      ? await registry.delete(after.clientId, after.revision)
      : await registry.save({ ...restored, revision: after.revision + 1 })
  if (isRestored) return
  // The binding of the interrupted attempt, which this attempt has replaced.
  const leftover = isSuperseded ? (before?.bindings ?? []).filter((one) => one.keyId === keyId) : []
  await changeClient(deployment, after.clientId, (current) => {
    const left = withoutBinding(current, bindingId)
    return left && withBindings(left, [...(left.bindings ?? []), ...leftover])
  })
}

/**
 * Removes the bindings whose redemption was undone in the meantime. Their own undo did not find them, because the new
 * binding had replaced them.
 */
async function withoutUndone({ store }: Deployment, client: Client): Promise<Client> {
  const { clientId, bindings = [] } = client
  const keyOf = ({ askedBy = clientId, keyId: jti }: Binding) => ({ clientId: askedBy, jti })
  // A store that does not answer must not prevent the undo.
  const entries = await Promise.all(bindings.map((binding) => store.find(keyOf(binding)))).catch(() => [])
  const undone = bindings.filter((_, i) => ['revoked', 'issued'].includes(entries[i]?.state ?? 'unknown'))
  return withoutBindings(client, (binding) => undone.includes(binding)) ?? client
}

/** Removes the bindings of a redemption. Returns `undefined` if that redemption also created the client. */
function withoutLeftover(client: Client | undefined, keyId: string): Client | undefined {
  const left = withoutBindings(client, (binding) => binding.keyId === keyId)
  return left?.registeredBy?.keyId === keyId ? undefined : (left ?? client)
}
