import { malformed } from '../base/errors.js'
import { ipAddress } from '../base/network.js'
import type { Parameters } from '../base/request.js'
import { ACTION_SCOPES, parseScope } from '../clients/scopes.js'
import type { PresentedCredential } from '../possession/possession.js'
import type { Target } from '../possession/target.js'
import type { Expectation, Presentation } from '../tokens/presentation.js'
import { ENDPOINTS } from './endpoints.js'
import type { Visit } from './serve.js'

/**
 * Reads the request that a client plans: its key, its proof, and what the route demands.
 *
 * @throws ProvisioningError `parameter_missing`, `parameter_malformed`, `scope_malformed`
 */
export function plannedRequest(visit: Visit, parameters: Parameters): Presentation {
  const token = parameters.get('token')
  if (token === undefined) throw malformed('parameter_missing', 'token is missing.')
  const proof = parameters.get('dpop_proof')
  const action = oneOf(parameters, 'action', ['bind', 'register', 'token', 'route'] as const) ?? 'route'
  const { presented } = visit
  const given = parameters.get('address')
  const address = given === undefined ? presented.address : ipAddress(given)
  if (address === undefined && given !== undefined)
    throw malformed('parameter_malformed', 'address: expected an IP address.')
  return {
    credential: { token, scheme: action === 'token' ? 'body' : schemeOf(parameters) },
    presented: { ...presented, dpop: proof === undefined ? [] : [proof], address },
    expected: action === 'route' ? routeOf(visit, parameters) : actionOf(visit, action),
  }
}

function schemeOf(parameters: Parameters): PresentedCredential['scheme'] {
  const scheme = oneOf(parameters, 'scheme', ['Bearer', 'DPoP'] as const)
  return scheme ?? (parameters.has('dpop_proof') ? 'DPoP' : 'Bearer')
}

function actionOf({ context }: Visit, action: keyof typeof ACTION_SCOPES): Expectation {
  const target = context.targetOf(ENDPOINTS[action])
  const { audiences } = context.config.deployment
  return { audiences, scope: [ACTION_SCOPES[action]], target, redeems: true }
}

function routeOf(visit: Visit, parameters: Parameters): Expectation {
  const { audiences } = visit.context.config.deployment
  const audience = oneOf(parameters, 'resource', audiences)
  const scope = parameters.get('scope')
  return {
    audiences: audience === undefined ? audiences : [audience],
    scope: scope === undefined ? [] : parseScope(scope),
    target: targetOf(visit, parameters, audience),
  }
}

/** A guard expects the path of the request at the origin of its audience, whatever the client writes. */
function targetOf({ context }: Visit, parameters: Parameters, audience: string | undefined): Target {
  const { audiences, issuer } = context.config.deployment
  const origin = context.originOf(audience ?? audiences[0] ?? issuer) ?? context.originOf(issuer)
  const url = parameters.get('url')
  if (url === undefined && parameters.has('dpop_proof'))
    throw malformed('parameter_missing', 'url is missing: it is what the DPoP proof is for.')
  const planned = URL.canParse(url ?? '/', origin) ? new URL(url ?? '/', origin) : undefined
  // The path of a URL such as `x:.evil.example` would become a part of the host.
  if (planned === undefined || !planned.pathname.startsWith('/'))
    throw malformed('parameter_malformed', 'url: expected the URL of the planned request.')
  const { pathname, search } = planned
  const alias = context.aliasOf(pathname)
  return { method: parameters.get('method') ?? 'POST', url: `${origin}${pathname}${search}`, alias }
}

function oneOf<T extends string>(
  parameters: Parameters,
  name: string,
  accepted: readonly T[],
): T | undefined {
  const value = parameters.get(name)
  const found = accepted.find((one) => one === value)
  if (value !== undefined && found === undefined)
    throw malformed('parameter_malformed', `${name}: expected ${accepted.join(' or ')}.`)
  return found
}
