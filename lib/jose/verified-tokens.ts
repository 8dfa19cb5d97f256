import * as crypto from 'node:crypto'
import { RecentMap } from '../base/recent-map.js'
import type { Claims } from './jws.js'

/** A token whose signature was verified: its `typ`, and its claims, frozen. The same text always says the same. */
export interface VerifiedToken {
  readonly typ: string | undefined
  readonly claims: Claims
}

/** The most tokens of one generation. An entry takes about 1 KB. */
const MOST_OF_A_GENERATION = 1024

/**
 * The tokens that one signing key has verified, by the SHA-256 of the whole token. To verify and parse a token with ES256
 * again takes 100 us, to find its digest 2 us. Its times, its state and its presenter are checked on each request. Only a
 * token with a right signature gets in, so strangers cannot fill it.
 */
export class VerifiedTokens extends RecentMap<VerifiedToken> {
  constructor() {
    super(MOST_OF_A_GENERATION)
  }
}

/** Names a token in `VerifiedTokens`. Node 20.12 and newer can hash without an object, which saves 1 us. */
export const tokenDigest: (token: string) => string =
  typeof crypto.hash === 'function'
    ? (token) => crypto.hash('sha256', token, 'binary')
    : (token) => crypto.createHash('sha256').update(token).digest('binary')
