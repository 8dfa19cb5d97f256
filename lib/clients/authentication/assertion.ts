import { malformed, ProvisioningError } from '../../base/errors.js'
import { PROOF_ALGORITHMS } from '../../jose/jwk.js'
import { type Claims, type ParsedJws, parseJws } from '../../jose/jws.js'
import { type Deployment, numericDate } from '../../ports/deployment.js'
import { useOnce } from '../../possession/once.js'
import type { ClientCredentials, Fault, ReadCredentials } from './credentials.js'
import { isSignedBy } from './signature.js'

/** RFC 7523 2.2. */
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** RFC 7523 knows no `typ`; a JWT that has one has to be made for this (RFC 8725 3.11). */
const TYPES: readonly unknown[] = [undefined, 'jwt', 'client-authentication+jwt']

/** How far away the `exp` of an assertion may be, in seconds: its `jti` is remembered for that long. */
const LONGEST_LIFE_SECONDS = 600
const LONGEST_JTI = 256

/** `private_key_jwt`: a JWT of the client's, signed with a key that is registered for it or bound to it (RFC 7523). */
export const readAssertion: ReadCredentials = (_request, parameters) => {
  const assertion = parameters.get('client_assertion')
  const type = parameters.get('client_assertion_type')
  if (assertion === undefined && type === undefined) return undefined
  if (assertion === undefined) throw malformed('parameter_missing', 'client_assertion is missing.')
  if (type !== ASSERTION_TYPE)
    throw malformed('parameter_malformed', `client_assertion_type is not ${ASSERTION_TYPE}.`)
  const { jws, claims } = parseAssertion(assertion)
  return credentials(jws, claims)
}

function parseAssertion(text: string): { jws: ParsedJws; claims: Claims & { readonly sub: string } } {
  const jws = parseJws(text)
  if (typeof jws === 'string' || jws.claims === undefined) throw refused('is not a JWT')
  const { typ, alg } = jws.header
  if (!TYPES.includes(typeof typ === 'string' ? typ.toLowerCase() : typ)) {
    throw refused('has a typ that is neither JWT nor client-authentication+jwt')
  }
  if (!(PROOF_ALGORITHMS as readonly unknown[]).includes(alg))
    throw refused(`has an alg that is none of ${PROOF_ALGORITHMS.join(', ')}`)
  if (Object.hasOwn(jws.header, 'crit')) throw refused('has a crit header')
  if (!namesSubject(jws.claims)) throw refused('has no sub')
  return { jws, claims: jws.claims }
}

function namesSubject(claims: Claims): claims is Claims & { readonly sub: string } {
  return typeof claims.sub === 'string' && claims.sub !== ''
}

/** Anybody may know what is wrong with the form of an assertion (RFC 7521 4.2.1). */
function refused(fault: string): ProvisioningError {
  return malformed('client_assertion_malformed', `The client assertion ${fault}.`)
}

function credentials(jws: ParsedJws, claims: Claims & { readonly sub: string }): ClientCredentials {
  const { sub: clientId } = claims
  return {
    clientId,
    methodFor: () => 'private_key_jwt',
    judge(deployment, client) {
      if (!isSignedBy(client, jws)) {
        return fault('client_assertion_signature_wrong', 'is not signed by a key of the client')
      }
      return claimsFault(deployment, claims) ?? timesFault(deployment, claims)
    },
    spend(deployment, { registeredBy }) {
      const parts = ['client_assertion', clientId, String(claims.jti)]
      const until = Math.ceil(Number(claims.exp)) + deployment.clockToleranceSeconds + 1
      const message = 'The client assertion has been used before.'
      const replayed = () =>
        new ProvisioningError('client_assertion_replayed', message, { facts: { clientId } })
      const owner = { clientId, ...(registeredBy && { registeredBy: registeredBy.clientId }) }
      return useOnce(deployment, { parts, until, owner, replayed })
    },
  }
}

function fault(reason: Fault['reason'], what: string): Fault {
  return { reason, message: `The client assertion ${what}.` }
}

/** RFC 7523 3, 1 to 3 and 7; the issuer as the sole audience, so that no other server can pass it on. */
function claimsFault({ issuer }: Deployment, { iss, sub, aud, jti }: Claims): Fault | undefined {
  const wrong = (what: string) => fault('client_assertion_claims_wrong', what)
  if (iss !== sub) return wrong('has an iss that is not its sub')
  const sole: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud
  if (sole !== issuer) return wrong(`has an aud that is not ${issuer} alone`)
  const fits = typeof jti === 'string' && jti !== '' && jti.length <= LONGEST_JTI
  return fits ? undefined : wrong(`has no jti of 1 to ${LONGEST_JTI} characters`)
}

/** RFC 7523 3, 4 to 6. */
function timesFault(deployment: Deployment, { exp, nbf, iat }: Claims): Fault | undefined {
  const now = numericDate(deployment)
  const tolerance = deployment.clockToleranceSeconds
  const wrong = (what: string) => fault('client_assertion_expired', what)
  if (typeof exp !== 'number' || !Number.isFinite(exp)) return wrong('has no exp')
  if (now >= exp + tolerance) return wrong(`expired ${now - exp} s ago`)
  if (exp > now + LONGEST_LIFE_SECONDS + tolerance)
    return fault(
      'client_assertion_lifetime_excessive',
      `has an exp more than ${LONGEST_LIFE_SECONDS} s from now`,
    )
  const begins = [nbf, iat].filter((time) => time !== undefined)
  const isSoon = (time: unknown) => typeof time === 'number' && time <= now + tolerance
  return begins.every(isSoon) ? undefined : wrong('is not valid yet')
}
