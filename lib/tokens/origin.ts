import { createHash } from 'node:crypto'
import { networkOf } from '../base/network.js'
import type { RequestSource } from '../base/request.js'
import type { KeyRecord } from '../ports/store.js'

/** Where a key was issued to, as its record keeps it. */
export type KeyOrigin = Pick<KeyRecord, 'issuedTo' | 'issuedToAgent'>

export function originOf({ address, userAgent }: RequestSource): KeyOrigin {
  const issuedTo = networkOf(address)
  const issuedToAgent = agentDigest(userAgent)
  return {
    ...(issuedTo !== undefined && { issuedTo }),
    ...(issuedToAgent !== undefined && { issuedToAgent }),
  }
}

/** A digest, because a user agent can be long, and a client chooses its text. */
export function agentDigest(userAgent: string | undefined): string | undefined {
  if (userAgent === undefined) return undefined
  return createHash('sha256').update(userAgent).digest('base64url').slice(0, 16)
}
