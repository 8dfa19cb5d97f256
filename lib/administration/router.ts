import type { Request, RequestHandler, Response } from 'express'
import { object, parse } from '../base/schema.js'
import { scrub } from '../base/secret.js'
import { readJson } from '../http/body.js'
import { read } from '../http/wire.js'
import { type FindOperator, requireRole } from './access.js'
import type { AdministrationContext, ApiEndpoint, Call } from './call.js'
import * as clients from './clients.js'
import { EventStreams } from './event-stream.js'
import * as findings from './findings.js'
import * as keys from './keys.js'
import openApi from './openapi.json'
import { refuseCrossSite, refuseForeignName } from './origin.js'
import { showHealth, showOverview } from './overview.js'
import { Page } from './page.js'
import { aCursor, type ListQuery } from './parameters.js'
import { answerProblem, Problem } from './problem.js'

const view = (handle: ApiEndpoint['handle']): ApiEndpoint => ({ role: 'view', handle })
const operate = (handle: ApiEndpoint['handle']): ApiEndpoint => ({ role: 'operate', handle })

/** The endpoints of the API, by method and path. The OpenAPI description has the same ones. */
export const ENDPOINTS: Readonly<Record<string, ApiEndpoint>> = {
  'GET /api/overview': view(showOverview),
  'GET /api/health': view(showHealth),
  'GET /api/keys': view(keys.listKeys),
  'GET /api/key': view(keys.showKey),
  'GET /api/clients': view(clients.listClients),
  'GET /api/bindings': view(clients.listBindings),
  'GET /api/locks': view(clients.listLocks),
  'GET /api/findings': view(findings.listFindings),
  'POST /api/keys/revoke': operate(keys.revokeKey),
  'POST /api/keys/revoke-all': operate(keys.revokeAllKeys),
  'POST /api/families/revoke': operate(keys.revokeFamily),
  'POST /api/bindings/revoke': operate(clients.revokeBinding),
  'POST /api/clients/lock': operate(clients.lockClient),
  'POST /api/clients/unlock': operate(clients.unlockClient),
  'POST /api/clients/revoke-keys': operate(keys.revokeKeysOfClient),
  'POST /api/clients/delete': operate(clients.deleteClient),
  'POST /api/findings/close': operate(findings.closeFinding),
}

/** All paths but those of the page. Others are left to the host. */
const PATHS: ReadonlySet<string> = new Set([
  ...Object.keys(ENDPOINTS).map((name) => name.split(' ')[1] as string),
  '/api/events',
  '/openapi.json',
])

function isOfPage(path: string): boolean {
  return path === '/' || path.startsWith('/assets/')
}

/** Makes the handler of all requests below the mount path. They have passed the HTTPS check. */
export function administrationRouter(
  context: AdministrationContext,
  { findOperator, hasPage }: { readonly findOperator: FindOperator; readonly hasPage: boolean },
): RequestHandler {
  const streams = new EventStreams(context.log)
  const page = hasPage ? new Page() : undefined

  async function answerRequest(req: Request, res: Response): Promise<void> {
    const { path } = req
    refuseForeignName(req)
    // A link on another site may lead to the page. Its API answers only the page.
    if (!isOfPage(path)) refuseCrossSite(req)
    const operator = await findOperator(req)
    const method = req.method === 'HEAD' ? 'GET' : req.method
    const endpoint = ENDPOINTS[`${method} ${path}`]
    if (endpoint !== undefined) return answerCall(req, res, { context, operator, endpoint })
    requireMethod(method, path)
    const { actor } = operator
    if (path === '/api/events') return streams.serve(res, { actor, after: afterOf(req) })
    if (path === '/openapi.json') return sendJson(res, openApi)
    await page?.serve(req, res, path)
  }

  return function serveAdministration(req, res, next) {
    const isOurs = isOfPage(req.path) ? hasPage : PATHS.has(req.path)
    if (!isOurs) return next()
    answerRequest(req, res).catch((error) => {
      recordRefusal(context, error, req)
      answerProblem(res, error)
    })
  }
}

async function answerCall(
  req: Request,
  res: Response,
  { endpoint, ...call }: Pick<Call, 'context' | 'operator'> & { readonly endpoint: ApiEndpoint },
): Promise<void> {
  requireRole(call.operator, endpoint.role)
  const parameters = req.method === 'POST' ? await bodyOf(req, res) : queryOf(req)
  sendJson(res, await endpoint.handle({ ...call, parameters, source: read(req) }))
}

/** The parameters of the query. Each may be there once. */
function queryOf({ originalUrl }: Request): Readonly<Record<string, unknown>> {
  // Only the first question mark begins the query. Others are text, as in the id of a client (RFC 3986 3.4).
  const pairs = [...new URLSearchParams(originalUrl.replace(/^[^?]*\??/, ''))]
  requireFew(pairs.length)
  const repeated = pairs.find(([name], index) => pairs.findIndex(([other]) => other === name) !== index)
  if (repeated !== undefined)
    throw new Problem(400, `The parameter ${JSON.stringify(repeated[0])} is there twice.`)
  return Object.fromEntries(pairs)
}

/** No endpoint has as many parameters. Each unknown one takes time and a line of the answer. */
const MOST_PARAMETERS = 20

function requireFew(count: number): void {
  if (count > MOST_PARAMETERS) throw new Problem(400, `Send at most ${MOST_PARAMETERS} parameters.`)
}

async function bodyOf(req: Request, res: Response): Promise<Readonly<Record<string, unknown>>> {
  const body = await readJson(req, res)
  requireFew(Object.keys(body).length)
  return body
}

const readStreamQuery = object<Pick<ListQuery, 'after'>>({ after: aCursor })

function afterOf(req: Request): string | undefined {
  return parse(readStreamQuery, queryOf(req), '').after
}

/** Refuses a method that a path does not have. The stream and the files of the page can only be read. */
function requireMethod(method: string, path: string): void {
  const known = Object.keys(ENDPOINTS).filter((name) => name.endsWith(` ${path}`))
  const methods = known.length > 0 ? known.map((name) => name.split(' ')[0] as string) : ['GET']
  if (methods.includes(method)) return
  const allowed = methods.flatMap((one) => (one === 'GET' ? ['GET', 'HEAD'] : one)).join(', ')
  throw new Problem(405, `The method must be ${allowed}.`, { headers: { Allow: allowed } })
}

function sendJson(res: Response, body: object): void {
  res.setHeader('Content-Type', 'application/json')
  res.end(JSON.stringify(body))
}

/** Observers get a limited number of these events, like those of other refusals. */
function recordRefusal({ config }: AdministrationContext, error: unknown, req: Request): void {
  if (!(error instanceof Problem) || error.refusal === undefined) return
  const { method, path } = req
  // A path can contain a secret. It is searched before it is cut, because half a secret looks like none.
  const details = { reason: error.refusal, method, path: scrub(path).slice(0, 100) }
  config.deployment.emit('administration.refused', details, read(req))
}
