import { withoutUndefined } from '../base/object.js'
import type { RequestSource } from '../base/request.js'
import type { Binding, Client, Registration } from '../ports/client.js'
import type { Emit } from '../ports/events.js'
import { withBindings, withoutBindings } from './bound-keys.js'

/*
 * With `policy.confirmWithinSeconds`, a new registration or binding has a deadline: `confirmBy`. It ends in one of two
 * ways, and each is one compare-and-set of the record of the client:
 *
 * - The client uses it: `confirmBy` is removed.
 * - Nobody has used it until `confirmBy`: it is removed. The next request that reads the client does this.
 *
 * So of a use and an undo exactly one succeeds, also in different processes. A killed process has made one change, or none.
 */

/** A client without `revision`, as it is to be saved. */
type Unsaved = Omit<Client, 'revision'>

/** Whether a registration or a binding was not used before its deadline. */
function isOverdue(
  { confirmBy = Number.POSITIVE_INFINITY }: Pick<Binding, 'confirmBy'>,
  now: number,
): boolean {
  return confirmBy <= now
}

/**
 * The client after everything overdue is undone; `undefined` if nothing is. A client that exists only through what is
 * undone is left as an empty record with `undoneAt`. If it were deleted, its next record could have the same revision, and
 * a process that was stopped in the meantime could overwrite that.
 *
 * @param now NumericDate
 */
export function withoutOverdue(client: Client, now: number): Unsaved | undefined {
  const { clientId, registration, registeredBy, bindings = [] } = client
  const left = withoutBindings(client, (binding) => isOverdue(binding, now))
  const hasMadeClient = ({ keyId, askedBy = clientId }: Binding) =>
    registeredBy?.keyId === keyId && registeredBy.clientId === askedBy
  const isGone =
    registration === undefined
      ? left?.authenticationMethods.length === 0 &&
        bindings.some((one) => isOverdue(one, now) && hasMadeClient(one))
      : isOverdue(registration, now)
  return isGone ? { clientId, authenticationMethods: [], undoneAt: now } : left
}

/**
 * The client after a request has used it. Each use confirms its registration. Only a use of a binding confirms that
 * binding, and ends the bindings that it replaces.
 *
 * @param bindingId the binding that the request has used, if it has
 * @returns the same object if everything that the request has used is confirmed
 */
export function withUseConfirmed(client: Client, bindingId: string | undefined): Client {
  const { registration, bindings = [] } = client
  const used = bindings.find((one) => one.bindingId === bindingId)
  const isConfirmed = (one: Pick<Binding, 'confirmBy'> = {}) => one.confirmBy === undefined
  if (isConfirmed(registration) && isConfirmed(used)) return client
  const known = registration === undefined ? client : { ...client, registration: confirmed(registration) }
  if (used === undefined || isConfirmed(used)) return known
  const others = bindings.slice(used.replaces === true ? bindings.indexOf(used) : 0)
  return withBindings(
    known,
    others.map((one) => (one === used ? confirmed(used) : one)),
  )
}

function confirmed<T extends Registration | Binding>(one: T): T {
  return withoutUndefined({ ...one, confirmBy: undefined, replaces: undefined }) as T
}

/** Emits an event for each registration and binding that was undone. */
export function emitUndone(emit: Emit, before: Client, after: Unsaved): void {
  if (before.registration !== undefined && after.registration === undefined)
    emitRegistration(emit, 'undone', before)
  for (const binding of before.bindings ?? [])
    if (!after.bindings?.includes(binding))
      emitBinding(emit, 'undone', { clientId: before.clientId, binding })
}

/** Emits an event for the registration and for the binding that a use has confirmed. */
export function emitConfirmed(
  emit: Emit,
  { before, bindingId, source }: { before: Client; bindingId: string | undefined; source: RequestSource },
): void {
  const { clientId, registration, bindings = [] } = before
  if (registration?.confirmBy !== undefined) emitRegistration(emit, 'confirmed', before, source)
  const binding = bindings.find((one) => one.bindingId === bindingId && one.confirmBy !== undefined)
  if (binding !== undefined) emitBinding(emit, 'confirmed', { clientId, binding }, source)
}

type End = 'confirmed' | 'undone'

function emitRegistration(
  emit: Emit,
  end: End,
  { clientId, registeredBy }: Client,
  source?: RequestSource,
): void {
  const keyId = registeredBy?.keyId ?? ''
  emit(`registration.${end}`, { clientId, keyId }, source)
}

function emitBinding(
  emit: Emit,
  end: End,
  { clientId, binding }: { readonly clientId: string; readonly binding: Binding },
  source?: RequestSource,
): void {
  const { bindingId, keyId, confirmation } = binding
  emit(`binding.${end}`, { clientId, keyId, bindingId, confirmation: { ...confirmation } }, source)
}
