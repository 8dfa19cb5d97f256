import type { Binding, Client } from '../ports/client.js'
import { hasMade, withBindings, withoutBindings } from './bound-keys.js'

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
export type Unsaved = Omit<Client, 'revision'>

/** Whether a registration or a binding was not used before its deadline. */
function isOverdue(
  { confirmBy = Number.POSITIVE_INFINITY }: Pick<Binding, 'confirmBy'>,
  now: number,
): boolean {
  return confirmBy <= now
}

/**
 * The client without its overdue parts; `undefined` if it has none. A client that exists only through an overdue part
 * becomes an empty record with `undoneAt`. If it were deleted, its next record could have the same revision, and a process
 * that was stopped in the meantime could overwrite that record.
 *
 * @param now NumericDate
 */
export function withoutOverdue(client: Client, now: number): Unsaved | undefined {
  const { clientId, registration, bindings = [], deletedAt } = client
  // The mark must stay: a deletion that failed halfway is resumed, and revokes what the client has.
  if (deletedAt !== undefined) return undefined
  const left = withoutBindings(client, (binding) => isOverdue(binding, now))
  const isGone =
    registration === undefined
      ? left?.authenticationMethods.length === 0 &&
        bindings.filter(hasMade(client)).some((one) => isOverdue(one, now))
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

function confirmed<T extends Pick<Binding, 'confirmBy' | 'replaces'>>({
  confirmBy: _,
  replaces: __,
  ...others
}: T): Omit<T, 'confirmBy' | 'replaces'> {
  return others
}
