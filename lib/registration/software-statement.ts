import { malformed, type ProvisioningError } from '../base/errors.js'
import { PROOF_ALGORITHMS } from '../jose/jwk.js'
import { type Claims, type ParsedJws, parseJws, verifiesWith } from '../jose/jws.js'
import { type Deployment, numericDate } from '../ports/deployment.js'

/** RFC 7591 knows no `typ`; a JWT that has one has to be made for this (RFC 8725 3.11). */
const TYPES: readonly unknown[] = [undefined, 'jwt', 'software-statement+jwt']

/**
 * Verifies a software statement (RFC 7591 2.3): by an issuer that is trusted, signed with its key, in time, and for
 * this server where it says for whom.
 *
 * @returns its claims
 * @throws ProvisioningError `software_statement_invalid`, `software_statement_unapproved`
 */
export function verifyStatement(deployment: Deployment, statement: unknown): Claims {
  const { jws, claims } = parseStatement(statement)
  const { iss } = claims
  // RFC 7591 2.3: it MUST contain an iss.
  if (typeof iss !== 'string' || iss === '') throw invalid('has no iss')
  const keys = deployment.registration.softwareStatements.get(iss)
  if (keys === undefined)
    throw malformed('software_statement_unapproved', 'The issuer of the software statement is not trusted.')
  const { kid } = jws.header
  const named = keys.filter((one) => kid !== undefined && one.kid === kid)
  const fits = (named.length > 0 ? named : keys).some(({ key }) => verifiesWith(jws, key))
  if (!fits) throw invalid('is not signed by its issuer')
  const fault = timesFault(deployment, claims)
  if (fault !== undefined) throw invalid(fault)
  const { aud = deployment.issuer } = claims
  if (![aud].flat().includes(deployment.issuer)) throw invalid(`has an aud that is not ${deployment.issuer}`)
  return claims
}

function parseStatement(statement: unknown): { jws: ParsedJws; claims: Claims } {
  const jws = typeof statement === 'string' ? parseJws(statement) : 'It is no text.'
  if (typeof jws === 'string' || jws.claims === undefined) throw invalid('is not a JWT')
  const { typ, alg } = jws.header
  if (!TYPES.includes(typeof typ === 'string' ? typ.toLowerCase() : typ))
    throw invalid('has a typ that is neither JWT nor software-statement+jwt')
  if (!(PROOF_ALGORITHMS as readonly unknown[]).includes(alg))
    throw invalid(`has an alg that is none of ${PROOF_ALGORITHMS.join(', ')}`)
  if (Object.hasOwn(jws.header, 'crit')) throw invalid('has a crit header')
  return { jws, claims: jws.claims }
}

function timesFault(deployment: Deployment, { exp, nbf, iat }: Claims): string | undefined {
  const now = numericDate(deployment)
  const tolerance = deployment.clockToleranceSeconds
  const isPast = exp !== undefined && !(typeof exp === 'number' && now < exp + tolerance)
  if (isPast) return 'has expired'
  const begins = [nbf, iat].filter((time) => time !== undefined)
  const isSoon = (time: unknown) => typeof time === 'number' && time <= now + tolerance
  return begins.every(isSoon) ? undefined : 'is not valid yet'
}

function invalid(fault: string): ProvisioningError {
  return malformed('software_statement_invalid', `The software statement ${fault}.`)
}
