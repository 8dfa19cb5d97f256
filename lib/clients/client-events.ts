import type { RequestSource } from '../base/request.js'
import type { Binding, Client } from '../ports/client.js'
import type { Deployment } from '../ports/deployment.js'
import type { Emit, EventDetails } from '../ports/events.js'
import type { Unsaved } from './confirmation.js'

/** Why bindings are removed, and the request that caused this. */
export interface UnbindingCause {
  readonly by: EventDetails['client.unbound']['by']
  readonly source?: RequestSource | undefined
}

/** Emits an event for each removed binding. */
export function emitUnbound(
  emit: Emit,
  clientId: string,
  removed: readonly Binding[],
  { by, source }: UnbindingCause,
): void {
  for (const { keyId, bindingId, confirmation } of removed)
    emit('client.unbound', { clientId, keyId, bindingId, confirmation: { ...confirmation }, by }, source)
}

interface ClientChange {
  readonly before: Client
  readonly after: Unsaved
}

/** Emits an event for each registration and binding that was undone. */
export function emitUndone(emit: Emit, { before, after }: ClientChange): void {
  if (before.registration !== undefined && after.registration === undefined)
    emit('registration.undone', registrationOf(before))
  for (const binding of removedBindings({ before, after })) emit('binding.undone', bindingOf(before, binding))
}

/** Emits an event for the registration and the binding that a use has confirmed, and for the bindings that this ended. */
export function emitConfirmed(emit: Emit, { before, after }: ClientChange, source: RequestSource): void {
  emitUnbound(emit, before.clientId, removedBindings({ before, after }), { by: 'replacement', source })
  if (before.registration?.confirmBy !== after.registration?.confirmBy)
    emit('registration.confirmed', registrationOf(before), source)
  const confirmed = (after.bindings ?? []).filter((binding) => !before.bindings?.includes(binding))
  for (const binding of confirmed) emit('binding.confirmed', bindingOf(before, binding), source)
}

/** The bindings of a client that a change has removed. A confirmed binding is not removed. */
function removedBindings({ before, after }: ClientChange): readonly Binding[] {
  const { bindings = [] } = before
  const { bindings: left = [] } = after
  return bindings.filter(({ bindingId }) => !left.some((one) => one.bindingId === bindingId))
}

function registrationOf({ clientId, registeredBy }: Client) {
  return { clientId, keyId: registeredBy?.keyId ?? '' }
}

function bindingOf({ clientId }: Client, { bindingId, keyId, confirmation }: Binding) {
  return { clientId, keyId, bindingId, confirmation: { ...confirmation } }
}

/** Emits an event if a client is a canary, which nobody has a reason to use. */
export function noteCanary(
  { canaries, emit }: Pick<Deployment, 'canaries' | 'emit'>,
  use: EventDetails['canary.used'],
  source: RequestSource,
): void {
  if (canaries.has(use.clientId)) emit('canary.used', use, source)
}
