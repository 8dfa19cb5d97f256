import { createHash } from 'node:crypto'
import type { KeyRef } from '../ports/store.js'

/**
 * The client that a key registers. A key for another identity registers that identity. A client that asked for itself
 * exists already, so its key registers a new client on its behalf (RFC 7591 3.2.1: an identifier that no other client
 * has). All attempts at the redemption get the same identifier.
 */
export function registeredIdOf({ clientId, subject, jti }: KeyRef & { readonly subject: string }): string {
  return subject === clientId ? derivedId(clientId, jti) : subject
}

/** 160 bits. */
function derivedId(...of: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(of)).digest().subarray(0, 20).toString('base64url')
}
