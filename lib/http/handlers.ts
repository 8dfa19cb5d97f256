import { malformed, ProvisioningError } from '../base/errors.js'
import type { Parameters } from '../base/request.js'
import type { AuthenticatedClient } from '../clients/authentication/authenticate.js'
import { GRANT_TYPES, type GrantType } from '../clients/client-metadata.js'
import { tokenType } from '../possession/possession.js'
import type { PresentedCredential } from '../possession/presented.js'
import { readSubjectToken, TOKEN_SCOPE } from '../redemption/actions/token.js'
import type { Verified } from '../redemption/verified.js'
import type { ClientInformation } from '../registration/information.js'
import type { ManagementRequest } from '../registration/management/authorization.js'
import { extractKey } from '../tokens/presentation.js'
import { BIND_SCOPE, REGISTER_SCOPE, type VerifiedKey } from '../tokens/provisioning-key.js'
import { JWT_TOKEN_TYPE } from '../tokens/token-issuer.js'
import { readJson, readOptionalJson } from './body.js'
import type { HttpContext } from './context.js'
import { ENDPOINTS, type EndpointKey } from './endpoints.js'
import { verifyCounted } from './key-limits.js'
import type { Handle, Visit } from './serve.js'
import type { Answer } from './wire.js'

/** The handler of each endpoint. The token endpoint has one per grant. */
export interface Handlers extends Record<Exclude<EndpointKey, 'token'>, Handle> {
  /** The token endpoint with some of its grants. If `leave` accepts a grant, the next router handles it. */
  token(handled: readonly GrantType[], leave: (grant: GrantType) => boolean): Handle
}

type GrantHandler = (visit: Visit, parameters: Parameters) => Promise<Answer>

export function handlers(context: HttpContext): Handlers {
  const { useCases, config } = context
  const { audiences } = config.deployment

  async function authenticated(visit: Visit): Promise<[AuthenticatedClient, Parameters]> {
    const { addressRefusal } = visit.keyLimits
    if (addressRefusal !== undefined) throw addressRefusal
    const parameters = await context.form(visit.req, visit.res)
    const client = await useCases.authenticate(visit.presented, parameters)
    await visit.limitClient(client.clientId)
    return [client, parameters]
  }

  async function redeeming<T>(
    visit: Visit,
    presentedKey: PresentedCredential,
    scope: string,
    act: (verified: Verified) => Promise<T>,
  ): Promise<T> {
    const { presented, target, keyLimits } = visit
    const expected = { audiences, scope: [scope], target, redeems: true }
    const { verified, refusal } = await verifyCounted(useCases, keyLimits, {
      presentedKey,
      presented,
      expected,
    })
    const result = await useCases.containReplays(verified, presented.address, () => act(verified))
    // Only a repeated redemption reaches this line despite a limit.
    if (refusal !== undefined) throw refusal
    return result
  }

  const grants: Record<GrantType, GrantHandler> = {
    async client_credentials(visit) {
      const [client, parameters] = await authenticated(visit)
      const { presented, target } = visit
      return ok(issuanceAnswer(await useCases.issue(client, { parameters, presented, target })))
    },
    async 'urn:ietf:params:oauth:grant-type:token-exchange'(visit, parameters) {
      const token = readSubjectToken(parameters)
      // Check the key before the client: a replay is contained even if client authentication fails. Beyond a limit the
      // client is not authenticated, so that nobody can guess secrets.
      const { addressRefusal } = visit.keyLimits
      let identified: Promise<Caller> | undefined
      const identify = () => {
        identified ??= addressRefusal === undefined ? optionalClient(visit, parameters) : asStranger()
        return identified
      }
      const exchange = async (verified: Verified) => {
        refuseForeignClient(verified.key, (await identify()).clientId)
        return useCases.exchange(verified, parameters, visit.presented.address)
      }
      const redeem = () => redeeming(visit, { token, scheme: 'body' }, TOKEN_SCOPE, exchange)
      return ok(await asSubjectToken(redeem, identify))
    },
  }

  /** The key alone is enough. If the request also names or authenticates a client, the key must be of this client. */
  async function optionalClient(visit: Visit, parameters: Parameters): Promise<Caller> {
    const named = ['client_secret', 'client_assertion', 'client_assertion_type']
    const authenticates =
      visit.presented.authorization.length > 0 || named.some((name) => parameters.has(name))
    if (!authenticates) return { clientId: parameters.get('client_id'), authenticates }
    return { clientId: (await useCases.authenticate(visit.presented, parameters)).clientId, authenticates }
  }

  function token(handled: readonly GrantType[], leave: (grant: GrantType) => boolean): Handle {
    return async (visit) => {
      const parameters = await context.form(visit.req, visit.res)
      const grant = parameters.get('grant_type')
      if (grant === undefined) throw malformed('parameter_missing', 'grant_type is missing.')
      if (isGrant(grant) && handled.includes(grant)) return grants[grant](visit, parameters)
      if (isGrant(grant) && leave(grant)) return undefined
      throw malformed('grant_unsupported', `grant_type must be ${handled.join(' or ')}.`)
    }
  }

  /** Adds the URL where the client manages its registration (RFC 7592 3). */
  function located(information: ClientInformation) {
    const path = ENDPOINTS.readRegistration.path.replace(
      ':client_id',
      encodeURIComponent(information.client_id),
    )
    return { ...information, registration_client_uri: context.endpointUrl(path) }
  }

  return {
    token,
    async bind(visit) {
      const body = await readOptionalJson(visit.req, visit.res)
      const endpoint = context.endpointUrl(ENDPOINTS.bind.path)
      const { address, certificate } = visit.presented
      const bind = (held: Verified) => useCases.bind(held, { body, endpoint, address, certificate })
      return created(await redeeming(visit, extractKey(visit.presented), BIND_SCOPE, bind))
    },
    async bindings(visit) {
      const [client] = await authenticated(visit)
      return ok(await useCases.listBindings(client))
    },
    async revokeBinding(visit) {
      await useCases.unbind(...(await authenticated(visit)))
      return { status: 200 }
    },
    async register(visit) {
      const body = await readJson(visit.req, visit.res)
      const register = (held: Verified) => useCases.register(held, body, visit.presented.address)
      const information = await redeeming(visit, extractKey(visit.presented), REGISTER_SCOPE, register)
      return created(located(information))
    },
    async readRegistration(visit) {
      return ok(located(await useCases.readRegistration(managed(visit), visit.limitClient)))
    },
    async updateRegistration(visit) {
      const body = await readJson(visit.req, visit.res)
      return ok(located(await useCases.updateRegistration({ ...managed(visit), body }, visit.limitClient)))
    },
    async deleteRegistration(visit) {
      await useCases.deleteRegistration(managed(visit), visit.limitClient)
      return { status: 204 }
    },
    async introspect(visit) {
      return ok(await useCases.introspect(...(await authenticated(visit))))
    },
    async revoke(visit) {
      await useCases.revoke(...(await authenticated(visit)))
      return { status: 200 }
    },
    async jwks() {
      const headers = { 'Cache-Control': 'public, max-age=300' }
      return { status: 200, body: config.deployment.keyRing.jwks(), headers }
    },
  }
}

/** The client in the path. We decode it here, because Express throws outside of our router if decoding fails. */
function managed({ req, presented }: Visit): ManagementRequest {
  try {
    return { clientId: decodeURIComponent(req.path.slice(req.path.lastIndexOf('/') + 1)), presented }
  } catch {
    return { clientId: undefined, presented }
  }
}

function isGrant(grant: string): grant is GrantType {
  return (GRANT_TYPES as readonly string[]).includes(grant)
}

function ok(body: object): Answer {
  return { status: 200, body }
}

function created(body: object): Answer {
  return { status: 201, body }
}

function issuanceAnswer({ key, record }: Awaited<ReturnType<HttpContext['useCases']['issue']>>) {
  return {
    access_token: key,
    issued_token_type: JWT_TOKEN_TYPE,
    token_type: tokenType(record.confirmation),
    expires_in: record.expiresAt - record.issuedAt,
    scope: record.scope.join(' '),
    key_id: record.jti,
  }
}

/** The client that a key exchange names, and whether the client has authenticated. */
interface Caller {
  readonly clientId: string | undefined
  readonly authenticates: boolean
}

const STRANGER: Caller = Object.freeze({ clientId: undefined, authenticates: false })
const asStranger = async () => STRANGER

/** Refusals that do not depend on the key. */
const OF_THE_SERVER: readonly string[] = ['slow_down', 'temporarily_unavailable', 'server_error']

/**
 * RFC 8693 2.2.2: every refusal of a subject token is an `invalid_request`. An authenticated client gets the precise
 * reason for its own key.
 */
async function asSubjectToken<T>(redeem: () => Promise<T>, identify: () => Promise<Caller>): Promise<T> {
  try {
    return await redeem()
  } catch (error) {
    if (!(error instanceof ProvisioningError)) throw error
    const isKeyRefused = error.code === 'invalid_token' || error.code === 'insufficient_scope'
    const caller = OF_THE_SERVER.includes(error.code) ? STRANGER : await identify()
    const isOwn = caller.authenticates && error.facts.clientId === caller.clientId
    throw error.with({ ...(isKeyRefused && { code: 'invalid_request' }), ...(isOwn && { disclosed: true }) })
  }
}

function refuseForeignClient(key: VerifiedKey, caller: string | undefined): void {
  if (caller === undefined || caller === key.clientId || caller === key.subject) return
  const facts = { clientId: key.clientId, jti: key.jti }
  throw new ProvisioningError('client_mismatch', 'The client is not the one the key was issued to or for.', {
    facts,
  })
}
