import { Agent } from 'node:https'
import { createSecureContext } from 'node:tls'
import supertest, { type Test } from 'supertest'
import { CLIENT, type RunningServer, SECRET } from './server.js'

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt'

const agents = new Map<string, Agent>()

/** Successive requests share a connection, because each connection costs a handshake. All share a parsed certificate. */
function agentFor(cert: string): Agent {
  const known = agents.get(cert)
  if (known !== undefined) return known
  const agent = new Agent({ keepAlive: true, secureContext: createSecureContext({ ca: cert }) })
  agents.set(cert, agent)
  return agent
}

/** A request over HTTPS that checks the certificate of the server. */
export function send(
  server: Pick<RunningServer, 'origin' | 'cert'>,
  method: 'get' | 'head' | 'post' | 'put' | 'delete',
  path: string,
): Test {
  return supertest(server.origin)[method](path).ca(server.cert).agent(agentFor(server.cert))
}

/** A POST of a form, without the members that are `undefined`. */
export function postForm(
  server: RunningServer,
  path: string,
  form: Record<string, string | undefined>,
): Test {
  const defined = Object.entries(form).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return send(server, 'post', path).type('form').send(new URLSearchParams(defined).toString())
}

/** Asks for a key with `client_credentials` and `client_secret_basic`. */
export function askForKey(
  server: RunningServer,
  form: Record<string, string | undefined> = {},
  client: { id: string; secret: string } = { id: CLIENT, secret: SECRET },
): Test {
  return postForm(server, '/oauth/token', { grant_type: 'client_credentials', ...form }).auth(
    encodeURIComponent(client.id),
    encodeURIComponent(client.secret),
  )
}

/** Obtains a key. If that fails, the test fails. */
export async function obtainKey(server: RunningServer, form: Record<string, string> = {}): Promise<string> {
  const response = await askForKey(server, form)
  if (response.status !== 200) throw new Error(`no key: ${response.status} ${response.text}`)
  return response.body.access_token
}

/** Exchanges a key for the initial access token. */
export function exchangeKey(server: RunningServer, key: string, form: Record<string, string> = {}): Test {
  return postForm(server, '/oauth/token', {
    grant_type: EXCHANGE,
    subject_token: key,
    subject_token_type: JWT_TYPE,
    ...form,
  })
}
