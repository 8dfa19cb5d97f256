import { ProvisioningError } from '../../lib/base/errors.js'
import type { Claims } from '../../lib/jose/jws.js'
import { signedByKey } from '../../lib/jose/jwt.js'
import { verifySignedToken } from '../../lib/jose/signed-token.js'
import { ISSUED_TOKEN_REASONS } from '../../lib/tokens/issued-token.js'

export interface JwtExpectation {
  readonly typ: string
  readonly keyFor: Parameters<typeof signedByKey>[0]
}

/** Verifies one of our tokens, with any type and claims. */
export function verifyJwt(token: string, { typ, keyFor }: JwtExpectation): Claims {
  const kind = {
    noun: 'The JWT',
    types: [typ],
    claims: {},
    times: {},
    refuse: (fault: keyof typeof ISSUED_TOKEN_REASONS, message: string) =>
      new ProvisioningError(ISSUED_TOKEN_REASONS[fault], message),
  }
  return verifySignedToken(token, kind, signedByKey(keyFor)) as Claims
}
