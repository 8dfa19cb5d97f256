import { type BindingAnswer, bindingAnswer, tellUnbound } from '../bindings.js'
import { bindingsWith, type ProvenKey, withBindings, withoutBinding } from '../bound-keys.js'
import type { Binding, Client } from '../client.js'
import { findClient } from '../client-authentication/authenticate.js'
import { type Deployment, numericDate } from '../deployment.js'
import { malformed } from '../errors.js'
import { inheritedPolicy, isWithinRights, type Policy } from '../policy.js'
import { lastingScopes, randomId, type VerifiedKey } from '../provisioning-key.js'
import { type Done, type Redeem, redeemFor } from '../redemption.js'
import { type Changed, changeClient } from '../registry.js'
import type { Verified } from '../verification.js'
import { type BindingRequest, provenKey } from './binding-proof.js'
import { policyOf } from './token.js'

export const BIND_SCOPE = 'provision:bind'

export interface BindAnswer extends BindingAnswer {
  readonly client_id: string
}

/** Redeems a key to tie a public key or a certificate, whose possession is proven, to the key's subject. */
export type Bind = (verified: Verified, request: BindingRequest) => Promise<BindAnswer>

export function binder(deployment: Deployment, redeem: Redeem): Bind {
  return async function bind(verified, request) {
    const { key } = verified
    const binding = drawUp(deployment, key, provenKey(deployment, verified, request))
    // Judged before the claim, so that a refusal does not even claim; and again as often as it is tried to be saved.
    const client = await findClient(deployment, key.subject)
    bindingsWith(binding, client?.bindings, await policyFor(deployment, key, client))
    const claimed = await redeem(key, 'bind', request.address)
    const replaced = await redeemFor(claimed, () => save(deployment, key, binding))
    tellBound(deployment, key, binding, replaced)
    return { client_id: key.subject, ...bindingAnswer(binding) }
  }
}

function drawUp(deployment: Deployment, key: VerifiedKey, proven: ProvenKey): Binding {
  return { bindingId: randomId(), ...proven, boundAt: numericDate(deployment), keyId: key.jti }
}

/** Saves the binding; answers with those that it replaces. */
async function save(
  deployment: Deployment,
  key: VerifiedKey,
  binding: Binding,
): Promise<Done<readonly Binding[]>> {
  const changed = await changeClient(deployment, key.subject, async (before) => {
    const policy = await policyFor(deployment, key, before)
    return withBindings(before ?? newcomer(key, policy), bindingsWith(binding, before?.bindings, policy))
  })
  const left = changed?.after.bindings ?? []
  const replaced = changed?.before?.bindings?.filter((one) => !left.includes(one)) ?? []
  const undo = async () =>
    changed &&
    takeBack(deployment, changed, binding).catch((fault) => {
      // It is there, whatever its client was told: who observes must know.
      tellBound(deployment, key, binding, replaced)
      throw fault
    })
  return { result: replaced, undo }
}

/**
 * The policy of the client that asked for the key; where that is the subject itself, as of the same revision.
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
  const policy = await policyOf(deployment, key)
  // Who binds a key of its own to an identity is that identity from then on: nobody gets more than it has by this.
  if (subject !== undefined && !isWithinRights(deployment.policyOf(subject), policy))
    throw malformed('subject_not_permitted', BEYOND, { clientId: key.clientId, jti: key.jti })
  return policy
}

const BEYOND =
  'The identity may have more than the client that asked for the key, which can bind nothing to it.'

/** A subject that is no client yet becomes one, with no more than what the key that brought it can leave behind. */
function newcomer(key: VerifiedKey, policy: Policy): Omit<Client, 'revision'> {
  const scopes = lastingScopes(key).filter((scope) => policy.scopes.has(scope))
  return {
    clientId: key.subject,
    authenticationMethods: [],
    policy: inheritedPolicy(policy, { scopes, audience: key.audience }),
    registeredBy: { clientId: key.clientId, keyId: key.jti },
  }
}

/** Restores what was there before, if nobody has changed it since; else nothing but the binding is taken away. */
async function takeBack(
  deployment: Deployment,
  { before, after }: Changed,
  { bindingId }: Binding,
): Promise<void> {
  const { registry } = deployment
  const restored =
    before === undefined
      ? await registry.delete(after.clientId, after.revision)
      : await registry.save({ ...before, revision: after.revision + 1 })
  if (!restored) await changeClient(deployment, after.clientId, (now) => withoutBinding(now, bindingId))
}

function tellBound(
  deployment: Deployment,
  { jti: keyId, clientId, subject }: VerifiedKey,
  { bindingId, confirmation }: Binding,
  replaced: readonly Binding[],
): void {
  tellUnbound(deployment.emit, subject, replaced, 'replacement')
  deployment.emit('client.bound', {
    keyId,
    clientId,
    subject,
    bindingId,
    confirmation: { ...confirmation },
  })
}
