import { malformed, type ProvisioningError } from '../base/errors.js'
import { PROOF_ALGORITHMS } from '../jose/jwk.js'
import { type Claims, type ParsedJws, verifiesWith } from '../jose/jws.js'
import {
  anything,
  parseSignedToken,
  requireInTime,
  type TokenKind,
  text,
  typedClaims,
} from '../jose/signed-token.js'
import { clockOf, type Deployment } from '../ports/deployment.js'

interface StatementClaims {
  readonly iss: string
  readonly aud?: unknown
}

/** The description of a software statement. RFC 7591 defines no `typ`, so a statement may have none. */
const SOFTWARE_STATEMENT: TokenKind<StatementClaims> = {
  noun: 'The software statement',
  types: [undefined, 'jwt', 'software-statement+jwt'],
  algorithms: PROOF_ALGORITHMS,
  // RFC 7591 2.3: it MUST contain an iss.
  claims: { iss: text, aud: { optional: anything } },
  times: {},
  refuse: (_, message) => malformed('software_statement_invalid', message),
}

/**
 * Verifies a software statement (RFC 7591 2.3). It must come from a trusted issuer, be signed with a key of that issuer,
 * and be valid now. If it has an audience, that must contain this server.
 *
 * @returns its claims
 * @throws ProvisioningError `software_statement_invalid`, `software_statement_unapproved`
 */
export function verifyStatement(deployment: Deployment, statement: unknown): Claims {
  const token = parseSignedToken(statement, SOFTWARE_STATEMENT)
  const { iss, aud = deployment.issuer } = typedClaims(token, SOFTWARE_STATEMENT)
  const keys = deployment.registration.softwareStatements.get(iss)
  if (keys === undefined)
    throw malformed(
      'software_statement_unapproved',
      'The server does not trust the issuer of the software statement.',
    )
  if (!isSignedByOneOf(keys, token)) throw invalid('is not signed by its issuer')
  const claims = token.claims as Claims
  requireInTime(claims, SOFTWARE_STATEMENT, clockOf(deployment))
  if (![aud].flat().includes(deployment.issuer))
    throw invalid(`has an aud that does not contain ${deployment.issuer}`)
  return claims
}

type IssuerKeys = NonNullable<ReturnType<Deployment['registration']['softwareStatements']['get']>>

/** Tries the key that the `kid` names, or every key of the issuer if the `kid` names none. */
function isSignedByOneOf(keys: IssuerKeys, token: ParsedJws): boolean {
  const { kid, alg: used } = token.header
  const named = keys.filter((one) => kid !== undefined && one.kid === kid)
  // RFC 8725 3.1: a key is for one algorithm.
  return (named.length > 0 ? named : keys).some(
    ({ key, alg = used }) => alg === used && verifiesWith(token, key),
  )
}

function invalid(predicate: string): ProvisioningError {
  return SOFTWARE_STATEMENT.refuse('claims', `${SOFTWARE_STATEMENT.noun} ${predicate}.`)
}
