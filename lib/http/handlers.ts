import type { Verified } from '../redemption/verified.js'
import type { ClientInformation } from '../registration/information.js'
import type { ManagementRequest } from '../registration/management/authorization.js'
import { extractKey } from '../tokens/presentation.js'
import { BIND_SCOPE, REGISTER_SCOPE } from '../tokens/provisioning-key.js'
import { readJson, readOptionalJson } from './body.js'
import type { HttpContext } from './context.js'
import { ENDPOINTS, type EndpointKey } from './endpoints.js'
import { authenticatedForm, created, type Handle, ok, redeemKey, type Visit } from './visit.js'

/** The handler of each endpoint. The token endpoint has one per grant: see `tokenHandler`. */
export const HANDLERS: Record<Exclude<EndpointKey, 'token'>, Handle> = {
  async bind(visit) {
    const { context, presented } = visit
    const body = await readOptionalJson(visit.req, visit.res)
    const endpoint = context.endpointUrl(ENDPOINTS.bind.path)
    const { address, certificate } = presented
    const bind = (verified: Verified) =>
      context.useCases.bind(verified, { body, endpoint, address, certificate })
    return created(await redeemKey(visit, extractKey(presented), BIND_SCOPE, bind))
  },
  async bindings(visit) {
    const [client] = await authenticatedForm(visit)
    return ok(await visit.context.useCases.listBindings(client))
  },
  async revokeBinding(visit) {
    await visit.context.useCases.revokeOwnBinding(...(await authenticatedForm(visit)))
    return { status: 200 }
  },
  async register(visit) {
    const { context, presented } = visit
    const body = await readJson(visit.req, visit.res)
    const register = (verified: Verified) => context.useCases.register(verified, body, presented.address)
    const information = await redeemKey(visit, extractKey(presented), REGISTER_SCOPE, register)
    return created(withLocation(context, information))
  },
  async readRegistration(visit) {
    const { context, limitClient } = visit
    return ok(
      withLocation(context, await context.useCases.readRegistration(managementOf(visit), limitClient)),
    )
  },
  async updateRegistration(visit) {
    const { context, limitClient } = visit
    const request = { ...managementOf(visit), body: await readJson(visit.req, visit.res) }
    return ok(withLocation(context, await context.useCases.updateRegistration(request, limitClient)))
  },
  async deleteRegistration(visit) {
    await visit.context.useCases.deleteRegistration(managementOf(visit), visit.limitClient)
    return { status: 204 }
  },
  async introspect(visit) {
    return ok(await visit.context.useCases.introspect(...(await authenticatedForm(visit))))
  },
  async revoke(visit) {
    await visit.context.useCases.revoke(...(await authenticatedForm(visit)))
    return { status: 200 }
  },
  async jwks({ context }) {
    const headers = { 'Cache-Control': 'public, max-age=300' }
    return { status: 200, body: context.config.deployment.keyRing.jwks(), headers }
  },
}

/** Adds the URL where the client manages its registration (RFC 7592 3). */
function withLocation(context: HttpContext, information: ClientInformation) {
  const id = encodeURIComponent(information.client_id)
  const path = ENDPOINTS.readRegistration.path.replace(':client_id', id)
  return { ...information, registration_client_uri: context.endpointUrl(path) }
}

/** The client in the path. We decode it here, because Express throws outside of our router if decoding fails. */
function managementOf({ req, presented }: Visit): ManagementRequest {
  try {
    return { clientId: decodeURIComponent(req.path.slice(req.path.lastIndexOf('/') + 1)), presented }
  } catch {
    return { clientId: undefined, presented }
  }
}
