import { ProvisioningError } from '../../lib/base/errors.js'
import type { Claims } from '../../lib/jose/jws.js'
import type { SigningKey, VerificationKeys } from '../../lib/jose/key-ring.js'
import { ISSUED_TOKEN_REASONS, verifySignedByUs } from '../../lib/tokens/issued-token.js'

export interface JwtExpectation {
  readonly typ: string
  readonly keyFor: VerificationKeys['find']
  /** The keys that may have verified the token before. Default: none. */
  readonly known?: readonly SigningKey[]
}

/** Verifies one of our tokens, with any type and claims. */
export function verifyJwt(token: string, { typ, keyFor, known = [] }: JwtExpectation): Claims {
  const kind = {
    noun: 'The JWT',
    types: [typ],
    claims: {},
    refuse: (fault: keyof typeof ISSUED_TOKEN_REASONS, message: string) =>
      new ProvisioningError(ISSUED_TOKEN_REASONS[fault], message),
  }
  return verifySignedByUs({ find: keyFor, all: () => known }, kind, token) as Claims
}
