import { malformed, ProvisioningError } from '../../base/errors.js'
import { ASSERTION_TYPE } from '../../base/oauth-names.js'
import { PROOF_ALGORITHMS } from '../../jose/jwk.js'
import type { ParsedJws } from '../../jose/jws.js'
import {
  anything,
  parseSignedToken,
  type TokenKind,
  text,
  timesFailure,
  typedClaims,
} from '../../jose/signed-token.js'
import { clockOf, type Deployment } from '../../ports/deployment.js'
import { useOnce } from '../../possession/once.js'
import type { ClientCredentials, Fault, ReadCredentials } from './credentials.js'
import { type Candidate, signerOf } from './signature.js'

/** The longest time until the `exp` of an assertion. Its `jti` is remembered for as long. */
const LONGEST_LIFE_SECONDS = 600
const LONGEST_JTI = 256

/** Only `sub` is needed to find the client. The other claims are checked afterwards, so their types are open here. */
interface AssertionClaims {
  readonly sub: string
  readonly iss?: unknown
  readonly aud?: unknown
  readonly jti?: unknown
  readonly exp?: unknown
}

/** The description of a client assertion. RFC 7523 defines no `typ`; RFC 8725 3.11 recommends one. */
const CLIENT_ASSERTION: TokenKind<AssertionClaims> = {
  noun: 'The client assertion',
  types: [undefined, 'jwt', 'client-authentication+jwt'],
  algorithms: PROOF_ALGORITHMS,
  claims: {
    sub: text,
    iss: { optional: anything },
    aud: { optional: anything },
    jti: { optional: anything },
    exp: { optional: anything },
  },
  times: { mustExpire: true, maxRemainingSeconds: LONGEST_LIFE_SECONDS },
  // These faults are about the form alone, so the answer may show them (RFC 7521 4.2.1).
  refuse: (_, message) => malformed('client_assertion_malformed', message),
}

/** `private_key_jwt`: a JWT that the client signs with a registered or a bound key (RFC 7523). */
export const readAssertion: ReadCredentials = (_request, parameters) => {
  const assertion = parameters.get('client_assertion')
  const type = parameters.get('client_assertion_type')
  if (assertion === undefined && type === undefined) return undefined
  if (assertion === undefined) throw malformed('parameter_missing', 'client_assertion is missing.')
  if (type !== ASSERTION_TYPE)
    throw malformed('parameter_malformed', `client_assertion_type: expected ${ASSERTION_TYPE}.`)
  const token = parseSignedToken(assertion, CLIENT_ASSERTION)
  return credentials(token, typedClaims(token, CLIENT_ASSERTION))
}

function credentials(jws: ParsedJws, claims: AssertionClaims): ClientCredentials {
  const { sub: clientId } = claims
  let signer: Candidate | undefined
  return {
    clientId,
    methodFor: () => 'private_key_jwt',
    check(deployment, client) {
      signer = signerOf(client, jws, deployment.decoys)
      if (signer === undefined) {
        return fault('client_assertion_signature_wrong', 'is not signed by a key of the client')
      }
      return claimsFault(deployment, claims) ?? timesFault(deployment, claims)
    },
    provenKey: () => ({ jkt: signer?.jkt }),
    spend(deployment, { registeredBy }) {
      const parts = ['client_assertion', clientId, String(claims.jti)]
      const until = Math.ceil(Number(claims.exp)) + deployment.clockToleranceSeconds + 1
      const message = 'The client assertion has been used before; make a new one for each request.'
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

/**
 * RFC 7523 3, rules 1 to 3 and 7. The issuer must be the only audience: otherwise another server that receives the
 * assertion could use it here.
 */
function claimsFault({ issuer }: Deployment, { iss, sub, aud, jti }: AssertionClaims): Fault | undefined {
  const wrong = (what: string) => fault('client_assertion_claims_wrong', what)
  if (iss !== sub) return wrong('has an iss that is not its sub')
  const sole: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud
  if (sole !== issuer) return wrong(`has an aud that is not ${issuer} alone`)
  const fits = typeof jti === 'string' && jti !== '' && jti.length <= LONGEST_JTI
  return fits ? undefined : wrong(`has no jti of 1 to ${LONGEST_JTI} characters`)
}

/** RFC 7523 3, rules 4 to 6. */
function timesFault(deployment: Deployment, claims: AssertionClaims): Fault | undefined {
  const failure = timesFailure(claims, CLIENT_ASSERTION.times, clockOf(deployment))
  if (failure === undefined) return undefined
  const [reason, predicate] = failure
  const isTooLong = reason === 'lifetime'
  return fault(isTooLong ? 'client_assertion_lifetime_excessive' : 'client_assertion_expired', predicate)
}
