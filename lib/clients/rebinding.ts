import { malformed } from '../base/errors.js'
import type { Binding, Client } from '../ports/client.js'
import { MOST_BINDINGS, type Policy } from '../ports/policy-options.js'
import { CONFIRMATION_MEMBERS } from './bound-keys.js'

/**
 * The bindings of a client after another key is bound to it. The new binding is the last one.
 *
 * By default a client keeps its key: a thief with a stolen provisioning key must not replace it. `rebinding` can allow it.
 * A binding that must be confirmed replaces the others only at its first use. Until then it replaces only those that also
 * wait for theirs.
 *
 * If the registration of the client waits for its first use, the binding has no later deadline: it would end with the
 * registration.
 *
 * @param given the new binding, without a deadline
 * @param client the client so far, if there is one
 * @param policy the policy of the client that asked for the provisioning key
 * @throws ProvisioningError `binding_exists`
 */
export function bindingsWith(
  given: Binding,
  { bindings: present = [], registration }: Pick<Client, 'bindings' | 'registration'> = {},
  { rebinding, maxBindings, confirmWithinSeconds = Number.POSITIVE_INFINITY }: Policy,
): readonly Binding[] {
  // An interrupted attempt at the same redemption may have left a binding, which this one replaces.
  const others = present.filter(({ keyId }) => keyId !== given.keyId)
  const confirmed = others.filter(({ confirmBy }) => confirmBy === undefined)
  const { confirmBy: latest = Number.POSITIVE_INFINITY } = registration ?? {}
  const confirmBy = Math.min(given.boundAt + confirmWithinSeconds, latest)
  const isConfirmed = !Number.isFinite(confirmBy) || confirmed.some(isSameKey(given))
  const added = isConfirmed ? given : { ...given, confirmBy }
  if (others.length === 0) return [added]
  if (rebinding === 'replace') {
    if (isConfirmed || confirmed.length === 0) return [added]
    if (confirmed.length < MOST_BINDINGS) return [...confirmed, { ...added, replaces: true }]
    throw exists(`The client already has ${MOST_BINDINGS} bound keys: revoke one first.`)
  }
  // If a key had two bindings, it would stay valid after the revocation of one.
  if (others.some(isSameKey(added))) throw exists('This key is already bound to the client.')
  if (rebinding === 'refuse')
    throw exists('The client already has a bound key, and the policy does not allow another.')
  if (others.length >= maxBindings)
    throw exists(
      `The client already has ${others.length} bound keys, and the policy allows ${maxBindings}: revoke one first.`,
    )
  return [...others, added]
}

function isSameKey({ confirmation }: Binding): (other: Binding) => boolean {
  return ({ confirmation: other }) =>
    CONFIRMATION_MEMBERS.some(
      (member) => other[member] !== undefined && other[member] === confirmation[member],
    )
}

function exists(message: string) {
  return malformed('binding_exists', message)
}
