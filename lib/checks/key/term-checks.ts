import { isInNetworks } from '../../base/network.js'
import { numericDate } from '../../ports/deployment.js'
import {
  audienceRefusal,
  environmentRefusal,
  type IssuedClaims,
  timesRefusal,
} from '../../tokens/issued-token.js'
import { missingScope } from '../../tokens/presentation.js'
import type { KeyClaims } from '../../tokens/provisioning-key.js'
import { type Check, type Finding, failed, PASSED, passed, skipped, warning } from '../check.js'
import { claimsOf, findingOf, type Subject, shortOf, termCheck } from './subject.js'

const AUDIENCE = termCheck(
  {
    id: 'audience',
    title: 'the key is for this API',
    clause: 'RFC 8707 2, RFC 9068 4',
    fix: 'Ask for a key with this API as resource, or add the audience to the option audience.',
  },
  ({ expected: { audiences }, kind }, claims) => {
    if (audiences === undefined)
      return skipped(`the key is for ${shortOf(claims.aud)}; name yours with --audience`)
    const refusal = audienceRefusal(audiences, kind, claims)
    if (refusal === undefined) return PASSED
    const isNear = audiences.some((one) => plainUrl(one) === plainUrl(claims.aud))
    return findingOf(refusal, {
      actual: `The key is for ${shortOf(claims.aud)}.`,
      expected: audiences.join(' or '),
      ...(isNear && {
        fix: 'Audiences are compared as text: write the case and the slash at the end alike.',
      }),
    })
  },
)

function plainUrl(url: string): string {
  return url.toLowerCase().replace(/\/+$/, '')
}

const ENVIRONMENT = termCheck(
  {
    id: 'environment',
    title: 'the key is of this environment',
    fix: 'Get a key from the deployment of this environment, or correct the option environment.',
  },
  ({ expected: { environment, hasNoEnvironment }, rules, kind }, claims) => {
    if (environment === undefined && !hasNoEnvironment && claims.env !== undefined)
      return skipped(
        `the key is of the environment ${shortOf(claims.env)}; name yours with --environment or --no-environment`,
      )
    const refusal = environmentRefusal(rules, kind, claims)
    return refusal === undefined ? PASSED : findingOf(refusal)
  },
)

/** A key that ends sooner probably does not survive the way to the server. */
const SHORT_REST_SECONDS = 20

const GET_ANOTHER = 'Get a new key, and redeem it as soon as you have it.'

const TIMES = termCheck(
  {
    id: 'times',
    title: 'the key is valid now',
    clause: 'RFC 7519 4.1.4 to 4.1.6',
    fix: GET_ANOTHER,
  },
  ({ rules, kind }, claims) => {
    const now = numericDate(rules)
    const refusal = timesRefusal(rules, kind, claims)
    const rest = claims.exp - now
    if (refusal?.reason === 'key_not_yet_valid') return findingOf(refusal, skew(claims, now))
    if (refusal?.reason === 'key_expired')
      return findingOf(refusal, {
        actual: `The key expired ${duration(-rest)} ago, at ${dateOf(claims.exp)}. It was valid for ${duration(claims.exp - claims.iat)}.`,
        ...(-rest < 600 && {
          fix: `${GET_ANOTHER} If it is new, one of the clocks is wrong: synchronize both with NTP.`,
        }),
      })
    if (refusal !== undefined)
      return findingOf(refusal, { fix: 'Correct the issuer, or the option maxLifetimeSeconds.' })
    if (rest > SHORT_REST_SECONDS) return passed(`it expires in ${duration(rest)}, at ${dateOf(claims.exp)}`)
    return warning({
      actual:
        rest > 0
          ? `The key expires in ${duration(rest)}.`
          : `The key expired ${duration(-rest)} ago, within the tolerance.`,
      section: 'key_expired',
    })
  },
)

function skew({ iat, nbf = iat }: IssuedClaims, now: number): Pick<Finding, 'actual' | 'fix'> {
  const ahead = duration(Math.max(iat, nbf) - now)
  const what = iat > now ? 'was issued' : 'becomes valid'
  return {
    actual: `The key ${what} ${ahead} in the future. The clock of the issuer is ahead of this clock, or this clock is behind.`,
    fix: 'Synchronize the clocks of both machines with NTP. At most 60 seconds can be allowed, with clockToleranceSeconds.',
  }
}

const NETWORK = termCheck(
  {
    id: 'network',
    group: 'Route',
    title: 'the key may be presented from this address',
    fix: 'Send the request from one of the networks of the client, or correct its policy.',
  },
  ({ dump: { presented } }, claims) => {
    const { cidr }: Partial<KeyClaims> = claims
    if (cidr === undefined) return passed('it has no networks')
    if (presented.address === undefined)
      return skipped(`the key is for ${shortOf(cidr.join(', '))}; name yours with --address`)
    if (isInNetworks(presented.address, cidr)) return PASSED
    return failed({
      actual: `The address is ${presented.address}.`,
      expected: `an address in ${shortOf(cidr.join(', '))}`,
      section: 'network_wrong',
    })
  },
)

const SCOPE = termCheck(
  {
    id: 'scope',
    group: 'Route',
    title: 'the key has the scope of the route',
    clause: 'RFC 6750 3.1',
    fix: 'Ask for a key with this scope. If the issuer refuses it, add the scope to the policy of the client.',
  },
  ({ expected: { scope } }, claims) => {
    if (scope === undefined) return skipped(`the key has ${shortOf(claims.scope)}; name yours with --scope`)
    const missing = missingScope(claims.scope.split(' '), scope)
    if (missing === undefined) return PASSED
    return failed({
      actual: `The key has ${shortOf(claims.scope)}, and lacks ${missing}.`,
      expected: scope.join(' '),
      section: 'scope_insufficient',
    })
  },
)

const STATE: Check<Subject> = {
  id: 'state',
  group: 'State',
  title: 'the key is not redeemed and not revoked',
  fix: 'Look for the keyId in the events of the server.',
  run: (subject) => {
    const { jti } = claimsOf(subject) ?? {}
    const where = jti === undefined ? '' : `; look for the keyId ${shortOf(jti)} in the events of the server`
    return skipped(`only the server knows whether a key was redeemed or revoked${where}`)
  },
}

/** A time span, such as `3 min 20 s`. */
function duration(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
  return whole > 10_000 * 86_400 ? 'very long' : `${Math.floor(whole / 86_400)} days`
}

/** Anybody can write any number into a token. */
function dateOf(seconds: number): string {
  return Math.abs(seconds) > 8e12 ? 'no date' : new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}

/** The checks of the terms, which the guards check before possession. */
export const TERM_CHECKS: readonly Check<Subject>[] = [AUDIENCE, ENVIRONMENT, TIMES]

/** The checks that the guards make after possession. */
export const ROUTE_CHECKS: readonly Check<Subject>[] = [NETWORK, SCOPE, STATE]
