import { malformed } from '../base/errors.js'
import { type Credential, type PresentedRequest, SECRET_PARAMETERS } from '../base/request.js'
import { loadKey } from '../jose/jwt.js'
import type { VerificationRules } from '../ports/deployment.js'
import {
  confirm,
  discloseToOwner,
  type PresentedCredential,
  type ProvenPossession,
  possessionReader,
} from '../possession/possession.js'
import type { Expectation } from './expectation.js'
import { type IssuedClaims, type IssuedKind, verifyGenuine, verifyTerms } from './issued-token.js'

/** RFC 6750 2.1 and RFC 9449 7.1: `b64token`. */
const CREDENTIALS = /^(Bearer|DPoP) +([\w.~+/-]+=*)$/i

/**
 * Reads the key or the access token of a request.
 *
 * @throws ProvisioningError `token_in_query`, `header_repeated`, `token_presented_twice`, `header_malformed`,
 *   `credentials_missing`, `certificate_header_malformed`
 */
export function extractKey(
  request: PresentedRequest,
  credential: Credential = 'provisioning key',
): PresentedCredential {
  refuseTokenInQuery(request)
  refuseUnreadableCertificate(request)
  const [header, ...others] = request.authorization
  const word = credential === 'access token' ? '<token>' : '<key>'
  if (others.length > 0)
    throw malformed('header_repeated', 'The request has more than one Authorization header.')
  if (request.tokenInBody && header !== undefined) {
    throw malformed(
      'token_presented_twice',
      'The request presents a token in its body besides the Authorization header.',
    )
  }
  if (header === undefined || !/^(Bearer|DPoP)\b/i.test(header)) {
    const message = `Present the ${credential} as Authorization: Bearer ${word}, or DPoP ${word}.`
    throw malformed('credentials_missing', message)
  }
  const [, scheme, token] = CREDENTIALS.exec(header) ?? []
  if (token === undefined)
    throw malformed('header_malformed', `The Authorization header is not Bearer ${word} or DPoP ${word}.`)
  return { token, scheme: scheme?.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer' }
}

/** A query ends up in logs and histories (RFC 9700 2.4). */
export function refuseTokenInQuery(request: PresentedRequest): void {
  if (!SECRET_PARAMETERS.some((name) => request.queryNames.has(name))) return
  throw malformed('token_in_query', 'Tokens and secrets are never accepted in the query string.')
}

/** An unclear `Client-Cert` header of a trusted proxy is refused, so that it is never misread (RFC 9440 4). */
export function refuseUnreadableCertificate({ certificateFault }: PresentedRequest): void {
  if (certificateFault !== undefined) throw malformed('certificate_header_malformed', certificateFault)
}

/** A key or an access token that is genuine, meets its terms, and is presented by its owner. Its state is not checked. */
export interface ConfirmedToken<C> {
  readonly claims: C
  readonly possession: ProvenPossession
}

/** Makes the verifier of presented tokens of one kind. */
export function presentationVerifier<C extends IssuedClaims>(
  deployment: VerificationRules,
  kind: IssuedKind<C>,
) {
  const readPossession = possessionReader(deployment)

  return async function verifyPresentation(
    credential: PresentedCredential,
    presented: PresentedRequest,
    { target, audiences }: Expectation,
  ): Promise<ConfirmedToken<C>> {
    await loadKey(deployment.keyRing, credential.token)
    const claims = verifyGenuine(deployment, kind, credential.token)
    const read = () => readPossession(credential, presented, target)
    discloseToOwner(claims.cnf, read, () => verifyTerms(deployment, kind, claims, audiences))
    const possession = read()
    confirm(claims.cnf, possession, kind.factsOf(claims))
    return { claims, possession }
  }
}
