import { refusalOf } from '../base/caught-refusal.js'
import { malformed, ProvisioningError } from '../base/errors.js'
import { EXCHANGE_GRANT, JWT_TOKEN_TYPE } from '../base/oauth-names.js'
import type { Parameters } from '../base/request.js'
import { GRANT_TYPES, type GrantType } from '../clients/client-metadata.js'
import { observed } from '../monitoring/use-case-recorder.js'
import { tokenType } from '../possession/possession.js'
import { exchangeKey, readSubjectToken } from '../redemption/actions/token.js'
import type { Verified } from '../redemption/key-state.js'
import { issueKey } from '../tokens/issuance.js'
import type { VerifiedKey } from '../tokens/provisioning-key.js'
import { authenticate, authenticatedForm, type Handle, ok, redeemKey, type Visit } from './serve.js'
import type { Answer } from './wire.js'

type GrantHandler = (visit: Visit, parameters: Parameters) => Promise<Answer>

const GRANTS: Record<GrantType, GrantHandler> = {
  client_credentials: issue,
  [EXCHANGE_GRANT]: exchange,
}

/** The token endpoint with some of its grants. If `leave` accepts a grant, the next router handles it. */
export function tokenHandler(handled: readonly GrantType[], leave: (grant: GrantType) => boolean): Handle {
  return async function handleToken(visit) {
    const parameters = await visit.context.form(visit.req, visit.res)
    const grant = parameters.get('grant_type')
    if (grant === undefined) throw malformed('parameter_missing', 'grant_type is missing.')
    if (isGrant(grant) && handled.includes(grant)) return GRANTS[grant](visit, parameters)
    if (isGrant(grant) && leave(grant)) return undefined
    throw malformed('grant_unsupported', `grant_type must be ${handled.join(' or ')}.`)
  }
}

function isGrant(grant: string): grant is GrantType {
  return (GRANT_TYPES as readonly string[]).includes(grant)
}

/** Issues a key (RFC 6749 4.4). */
function issue(visit: Visit): Promise<Answer> {
  const { context, presented, target } = visit
  const { deployment, useCases } = context.config
  return observed(useCases, 'issue', async (observation) => {
    const [client, parameters] = await authenticatedForm(visit)
    const { key, record } = await issueKey(deployment, client, { parameters, presented, target })
    observation?.identify(record)
    return ok({
      access_token: key,
      issued_token_type: JWT_TOKEN_TYPE,
      token_type: tokenType(record.confirmation),
      expires_in: record.expiresAt - record.issuedAt,
      scope: record.scope.join(' '),
      key_id: record.jti,
    })
  })
}

/** Exchanges a key for an access token (RFC 8693 2). */
async function exchange(visit: Visit, parameters: Parameters): Promise<Answer> {
  const token = readSubjectToken(parameters)
  // Check the key before the client: a replay is contained even if client authentication fails. Beyond a limit the
  // client is not authenticated, so that nobody can guess secrets.
  const { context, presented, keyLimits } = visit
  let identified: Promise<ExchangeClient> | undefined
  const identify = async () => {
    if (keyLimits.addressRefusal !== undefined) return STRANGER
    identified ??= optionalClient(visit, parameters)
    return identified
  }
  const act = async (verified: Verified) => {
    // A refusal that keeps the client from authenticating must not keep a replay from containment: a thief can be a
    // client itself, and use up its own limits.
    const deferred = verified.state === 'redeemed' ? await refusalOf(identify, isOfServer) : undefined
    if (deferred !== undefined) identified = Promise.resolve(STRANGER)
    requireOwnKey(verified.key, (await identify()).clientId)
    const answer = await exchangeKey(context.config.deployment, verified, { parameters, source: presented })
    // Only a repeated redemption reaches this line despite a limit.
    if (deferred !== undefined) throw deferred
    return answer
  }
  try {
    return ok(await redeemKey(visit, 'token', { token, scheme: 'body' }, act))
  } catch (error) {
    throw error instanceof ProvisioningError ? await asSubjectTokenRefusal(error, identify) : error
  }
}

const CLIENT_CREDENTIALS = ['client_secret', 'client_assertion', 'client_assertion_type']

/** The key alone is enough. If the request also names or authenticates a client, the key must be of this client. */
async function optionalClient(visit: Visit, parameters: Parameters): Promise<ExchangeClient> {
  const authenticates =
    visit.presented.authorization.length > 0 || CLIENT_CREDENTIALS.some((name) => parameters.has(name))
  if (!authenticates) return { clientId: parameters.get('client_id'), authenticates }
  const { clientId } = await authenticate(visit, parameters)
  return { clientId, authenticates }
}

/** The client that an exchange names, and whether the client has authenticated. */
interface ExchangeClient {
  readonly clientId: string | undefined
  readonly authenticates: boolean
}

const STRANGER: ExchangeClient = { clientId: undefined, authenticates: false }

/**
 * The key must be of the client that the request names, if it names one.
 *
 * @throws ProvisioningError `client_mismatch`
 */
function requireOwnKey(key: VerifiedKey, caller: string | undefined): void {
  if (caller === undefined || caller === key.clientId || caller === key.subject) return
  const message = 'The client is not the one the key was issued to or for.'
  const facts = { clientId: key.clientId, jti: key.jti }
  throw new ProvisioningError('client_mismatch', message, { facts })
}

/** Such refusals do not depend on the key. */
function isOfServer({ code }: ProvisioningError): boolean {
  return code === 'slow_down' || code === 'temporarily_unavailable' || code === 'server_error'
}

/**
 * RFC 8693 2.2.2: every refusal of a subject token is an `invalid_request`. An authenticated client gets the precise
 * reason for its own key.
 */
async function asSubjectTokenRefusal(
  error: ProvisioningError,
  identify: () => Promise<ExchangeClient>,
): Promise<ProvisioningError> {
  const isKeyRefused = error.code === 'invalid_token' || error.code === 'insufficient_scope'
  const caller = isOfServer(error) ? STRANGER : await identify()
  const isOwn = caller.authenticates && error.facts.clientId === caller.clientId
  return error.with({ ...(isKeyRefused && { code: 'invalid_request' }), ...(isOwn && { disclosed: true }) })
}
