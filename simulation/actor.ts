import type { ProofPair } from '../lib/testing/forged-token.js'

/** A program at some address. It may have credentials of a client. */
export interface Actor {
  readonly clientId: string
  readonly secret: string
  readonly address: string
  readonly userAgent: string
  readonly dpop?: ProofPair | undefined
  /** By how much its clock is ahead. Negative: behind. */
  readonly skewSeconds?: number
}

/** The secret of each client. The simulation needs no secrecy. */
export function secretOf(clientId: string): string {
  return `secret-of-${clientId}-`.padEnd(32, '0')
}

/** A client with its right secret. */
export function actor(given: Omit<Actor, 'secret'>): Actor {
  return { secret: secretOf(given.clientId), ...given }
}
