import type { Confirmation, Lease } from '../ports/store.js'

/**
 * @throws RangeError for an end that is past (the entry could be used again) or never comes (it would stay for good)
 */
export function requireFuture(name: string, until: number, nowSeconds: number): void {
  requireTime(name, until)
  // Written so that a clock without a valid time finds nothing in the future.
  if (!(until > nowSeconds))
    throw new RangeError(`${name}: expected a time in the future (now ${nowSeconds}), got ${until}`)
}

/** @throws RangeError */
export function requireTime(name: string, time: number): void {
  if (!Number.isFinite(time)) throw new RangeError(`${name}: expected a time in seconds, got ${String(time)}`)
}

/** @throws RangeError */
export function requireLease({ leaseSeconds }: Lease): void {
  if (!(leaseSeconds > 0 && Number.isFinite(leaseSeconds)))
    throw new RangeError(`leaseSeconds: expected a number of seconds above 0, got ${String(leaseSeconds)}`)
}

/** Whether a key is bound to a DPoP key or a certificate. */
export function isBound({ confirmation }: { readonly confirmation?: Confirmation }): boolean {
  return Boolean(confirmation?.jkt || confirmation?.['x5t#S256'])
}

/** A copy without empty members, and without anything that does not belong to a confirmation. */
export function copyOfConfirmation(confirmation: Confirmation): Confirmation {
  const { jkt, 'x5t#S256': certificate } = confirmation
  return Object.freeze({ ...(jkt && { jkt }), ...(certificate && { 'x5t#S256': certificate }) })
}
