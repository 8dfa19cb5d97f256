import { malformed, ProvisioningError } from '../base/errors.js'
import { withoutUndefined } from '../base/object.js'
import type { Parameters } from '../base/request.js'
import type { Binding } from '../ports/client.js'
import type { Deployment } from '../ports/deployment.js'
import type { Confirmation } from '../ports/store.js'
import type { AuthenticatedClient } from './authentication/authenticate.js'
import { withoutBinding } from './bound-keys.js'
import { emitUnbound, type UnbindingCause } from './client-events.js'
import { changeClient, findClient } from './registry.js'

/**
 * Identifies one binding of a client. `keys.listBindings()` has the ids.
 *
 * @example
 * const stolen: BindingRef = { clientId: 'device:7', bindingId: '5kqV1N0xQ2e0mZ7u' }
 * await keys.revokeBinding(stolen)
 */
export interface BindingRef {
  /**
   * The client of the binding.
   * @example 'device:7'
   */
  readonly clientId: string
  /**
   * The `bindingId` in the list of `keys.listBindings()`.
   * @example '5kqV1N0xQ2e0mZ7u'
   */
  readonly bindingId: string
}

/**
 * `unknown`: the client does not have the binding. It may have been revoked before.
 *
 * @example
 * const [binding] = await keys.listBindings('device:7')
 * const outcome: RevokeBindingOutcome | undefined =
 *   binding && (await keys.revokeBinding({ clientId: 'device:7', bindingId: binding.bindingId }))
 */
export type RevokeBindingOutcome = 'revoked' | 'unknown'

/** The bindings of a client, the oldest first. A client that does not exist has none. */
export async function bindingsOf(deployment: Deployment, clientId: string): Promise<readonly Binding[]> {
  // A copy, so that the caller cannot change the records of a registry in memory.
  return structuredClone((await findClient(deployment, clientId))?.bindings ?? [])
}

/**
 * Revokes a binding: the client can no longer authenticate with that key or certificate.
 *
 * @throws ProvisioningError `registry_unavailable`, `client_contended`: try again. `server_fault` if the registry cannot
 *   save clients
 */
export async function revokeBinding(
  deployment: Deployment,
  { clientId, bindingId }: BindingRef,
  cause: UnbindingCause = { by: 'operator' },
): Promise<RevokeBindingOutcome> {
  if (!deployment.registryWritable) throw new ProvisioningError('server_fault', NOT_WRITABLE)
  const changed = await changeClient(deployment, clientId, (client) => withoutBinding(client, bindingId))
  const removed = changed?.before?.bindings?.filter((binding) => binding.bindingId === bindingId) ?? []
  emitUnbound(deployment.emit, clientId, removed, cause)
  return changed === undefined ? 'unknown' : 'revoked'
}

const NOT_WRITABLE =
  'clients is a lookup function, which cannot save clients: pass a list or a ClientRegistry to revoke bindings.'

/** A binding, as the endpoints show it to its client. */
export interface BindingAnswer {
  readonly binding_id: string
  readonly cnf: Confirmation
  /** NumericDate. */
  readonly bound_at: number
  /** NumericDate, if the binding waits for its first use. */
  readonly confirm_by?: number
}

export function bindingAnswer({ bindingId, confirmation, boundAt, confirmBy }: Binding): BindingAnswer {
  return withoutUndefined({
    binding_id: bindingId,
    cnf: confirmation,
    bound_at: boundAt,
    confirm_by: confirmBy,
  })
}

export async function listOwnBindings(
  deployment: Deployment,
  { clientId }: AuthenticatedClient,
): Promise<{ readonly bindings: readonly BindingAnswer[] }> {
  return { bindings: (await bindingsOf(deployment, clientId)).map(bindingAnswer) }
}

/** Revokes a binding of the client that asks. The answer is the same for an unknown binding (as in RFC 7009 2.2). */
export async function revokeOwnBinding(
  deployment: Deployment,
  { clientId, source }: AuthenticatedClient,
  parameters: Parameters,
): Promise<void> {
  const bindingId = parameters.get('binding_id')
  if (bindingId === undefined) throw malformed('parameter_missing', 'binding_id is missing.')
  await revokeBinding(deployment, { clientId, bindingId }, { by: 'client', source })
}
