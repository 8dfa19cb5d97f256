import { malformed } from '../base/errors.js'
import { type Credential, type PresentedRequest, SECRET_PARAMETERS } from '../base/request.js'
import type { VerificationRules } from '../ports/deployment.js'
import { readProof } from '../possession/dpop.js'
import {
  confirm,
  discloseToOwner,
  type PresentedCredential,
  type ProvenPossession,
} from '../possession/possession.js'
import type { Target } from '../possession/target.js'
import { type IssuedClaims, type IssuedKind, verifyGenuine, verifyTerms } from './issued-token.js'

/** RFC 6750 2.1 and RFC 9449 7.1. */
const SCHEME = /^(Bearer|DPoP) +/i
/** RFC 6750 2.1: `b64token`. One pattern for the whole header takes twice as long, because it ignores case. */
const B64TOKEN = /^[\w.~+/-]+=*$/

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
  refuseUnclear(request)
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
  const [prefix = '', scheme] = SCHEME.exec(header ?? '') ?? []
  const token = header?.slice(prefix.length)
  if (scheme !== undefined && token !== undefined && B64TOKEN.test(token))
    return { token, scheme: scheme.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer' }
  if (/^(Bearer|DPoP)\b/i.test(header ?? ''))
    throw malformed('header_malformed', `The Authorization header is not Bearer ${word} or DPoP ${word}.`)
  const message = `Present the ${credential} as Authorization: Bearer ${word}, or DPoP ${word}.`
  throw malformed('credentials_missing', message)
}

/**
 * Refuses a token in the query, which ends up in logs and histories (RFC 9700 2.4), and an unclear `Client-Cert` header
 * of a trusted proxy, so that it is never misread (RFC 9440 4).
 */
export function refuseUnclear({ queryNames, certificateFault }: PresentedRequest): void {
  if (SECRET_PARAMETERS.some((name) => queryNames.includes(name)))
    throw malformed('token_in_query', 'Tokens and secrets are never accepted in the query string.')
  if (certificateFault !== undefined) throw malformed('certificate_header_malformed', certificateFault)
}

/** A key or an access token that is genuine, meets its terms, and is presented by its owner. Its state is not checked. */
export interface ConfirmedToken<C> {
  readonly claims: C
  readonly possession: ProvenPossession
}

/** The requirements for a key or an access token. They come from the configuration, never from the request. */
export interface Expectation {
  readonly audiences: readonly string[]
  /** All of these scopes are required. */
  readonly scope: readonly string[]
  /** The request that a DPoP proof must be for. */
  readonly target: Target
  /** Whether the request redeems the key. If so, a redeemed key is recognized: its owner may ask for the outcome again. */
  readonly redeems?: boolean
}

/** The missing scopes, space-delimited. `undefined`: none is missing. */
export function missingScope(carried: readonly string[], required: readonly string[]): string | undefined {
  const missing = required.filter((one) => !carried.includes(one))
  return missing.length === 0 ? undefined : missing.join(' ')
}

/** A request that presents a key or an access token, and the requirements for it. */
export interface Presentation {
  readonly credential: PresentedCredential
  readonly presented: PresentedRequest
  readonly expected: Expectation
}

/**
 * Verifies a presented token of one kind, except its state. Await `loadKey` before.
 *
 * @throws ProvisioningError as `verifyGenuine`, `verifyTerms`, `readProof` and `confirm` do
 */
export function verifyPresentation<C extends IssuedClaims>(
  deployment: VerificationRules,
  kind: IssuedKind<C>,
  presentation: Presentation,
): ConfirmedToken<C> {
  const { credential, expected } = presentation
  const claims = verifyGenuine(deployment, kind, credential.token)
  const read = () => readPossession(deployment, presentation)
  discloseToOwner(claims.cnf, read, () => verifyTerms(deployment, kind, claims, expected.audiences))
  const possession = read()
  confirm(claims.cnf, possession, kind.factsOf(claims))
  return { claims, possession }
}

function readPossession(
  deployment: VerificationRules,
  { credential: { token, scheme }, presented, expected: { target } }: Presentation,
): ProvenPossession {
  const proof = readProof(deployment, presented, { target, token, hashRequired: scheme !== 'body' })
  return { scheme, proof, certificate: presented.certificate?.thumbprint }
}
