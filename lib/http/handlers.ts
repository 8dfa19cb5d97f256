import { listOwnBindings, revokeOwnBinding } from '../clients/bindings.js'
import { noteCanary } from '../clients/client-events.js'
import type { Deployment } from '../ports/deployment.js'
import { bindKey } from '../redemption/actions/bind.js'
import { registerClient } from '../redemption/actions/register.js'
import type { Verified } from '../redemption/key-state.js'
import { preflight } from '../redemption/preflight.js'
import { revokeOwnToken } from '../redemption/revocation.js'
import type { ClientInformation } from '../registration/information.js'
import {
  type Count,
  deleteRegistration,
  type ManagementRequest,
  readRegistration,
} from '../registration/management.js'
import { updateRegistration } from '../registration/update.js'
import { introspect } from '../tokens/introspection.js'
import { extractKey } from '../tokens/presentation.js'
import { readJson, readOptionalJson } from './body.js'
import type { HttpContext } from './context.js'
import { ENDPOINTS, type EndpointKey } from './endpoints.js'
import { acceptLeakReport } from './leak-report.js'
import { plannedRequest } from './planned-request.js'
import { authenticatedForm, created, type Handle, ok, redeemKey, type Visit } from './serve.js'

/** The handler of each endpoint. The token endpoint has one per grant: see `tokenHandler`. */
export const HANDLERS: Record<Exclude<EndpointKey, 'token'>, Handle> = {
  async bind(visit) {
    const { presented, target } = visit
    const body = await readOptionalJson(visit.req, visit.res)
    const { certificate } = presented
    const request = { body, endpoint: target.url, source: presented, certificate }
    const act = (verified: Verified) => bindKey(deploymentOf(visit), verified, request)
    return created(await redeemKey(visit, 'bind', extractKey(presented), act))
  },
  async bindings(visit) {
    const [client] = await authenticatedForm(visit)
    return ok(await listOwnBindings(deploymentOf(visit), client))
  },
  async revokeBinding(visit) {
    await revokeOwnBinding(deploymentOf(visit), ...(await authenticatedForm(visit)))
    return { status: 200 }
  },
  async register(visit) {
    const { context, presented } = visit
    const body = await readJson(visit.req, visit.res)
    const act = (verified: Verified) =>
      registerClient(deploymentOf(visit), verified, { body, source: presented })
    const information = await redeemKey(visit, 'register', extractKey(presented), act)
    return created(withLocation(context, information))
  },
  async readRegistration(visit) {
    const information = await readRegistration(deploymentOf(visit), managementOf(visit), limitManaged(visit))
    return ok(withLocation(visit.context, information))
  },
  async updateRegistration(visit) {
    const request = { ...managementOf(visit), body: await readJson(visit.req, visit.res) }
    const information = await updateRegistration(deploymentOf(visit), request, limitManaged(visit))
    return ok(withLocation(visit.context, information))
  },
  async deleteRegistration(visit) {
    await deleteRegistration(deploymentOf(visit), managementOf(visit), limitManaged(visit))
    return { status: 204 }
  },
  async introspect(visit) {
    return ok(await introspect(deploymentOf(visit), ...(await authenticatedForm(visit))))
  },
  async preflight(visit) {
    const [client, parameters] = await authenticatedForm(visit)
    return ok(await preflight(deploymentOf(visit), client, plannedRequest(visit, parameters)))
  },
  async revoke(visit) {
    await revokeOwnToken(deploymentOf(visit), ...(await authenticatedForm(visit)))
    return { status: 200 }
  },
  leaked: acceptLeakReport,
  async jwks(visit) {
    const headers = { 'Cache-Control': 'public, max-age=300' }
    return { status: 200, body: deploymentOf(visit).keyRing.jwks(), headers }
  },
}

function deploymentOf({ context }: Visit): Deployment {
  return context.config.deployment
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

/** Counts a request against the client that its registration access token belongs to. */
function limitManaged(visit: Visit): Count {
  return (clientId) => {
    noteCanary(deploymentOf(visit), { clientId, endpoint: visit.endpoint }, visit.presented)
    return visit.limitClient(clientId)
  }
}
