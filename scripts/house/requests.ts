import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { prover } from '../../__tests__/support/prover'
import type * as Library from '../../lib/index'
import type { FileChanges, TracedLibrary } from './trace'

const ISSUER = 'https://auth.example.com'
const CLIENT = 'ci-runner'
const SECRET = 'correct-horse-battery-staple'
const SCOPES = ['provision:token', 'provision:bind', 'provision:register', 'devices:create']

/** One POST request to the app below. */
interface Call {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: URLSearchParams | string
}

const ISSUE: Call = {
  path: '/oauth/token',
  headers: { authorization: `Basic ${Buffer.from(`${CLIENT}:${SECRET}`).toString('base64')}` },
  body: new URLSearchParams({ grant_type: 'client_credentials', scope: SCOPES.join(' ') }),
}

/** The traced requests. Each uses a new key. */
const REQUESTS: Readonly<Record<string, (key: string) => Call>> = {
  'issue a key': () => ISSUE,
  'guard a route': (key) => ({ path: '/guarded', headers: bearer(key) }),
  exchange: (key) => ({
    path: '/oauth/token',
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: key,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    }),
  }),
  bind: (key) => ({
    path: '/oauth/bind',
    headers: { ...bearer(key), dpop: prover().prove('POST', `${ISSUER}/oauth/bind`, key) },
  }),
  register: (key) => ({
    path: '/oauth/register',
    headers: { ...bearer(key), 'content-type': 'application/json' },
    body: '{}',
  }),
  'redeem on a route': (key) => ({ path: '/redeeming', headers: bearer(key) }),
}

/** The file changes of each request, by its name. A first round in another app does not count. */
export async function changesByRequest(
  library: TracedLibrary<typeof Library>,
): Promise<Map<string, FileChanges>> {
  await countRound(library)
  return countRound(library)
}

async function countRound({ exports, fileChanges }: TracedLibrary<typeof Library>) {
  const server = createServer(app(exports))
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  const changes = new Map<string, FileChanges>()
  try {
    for (const [name, callWith] of Object.entries(REQUESTS)) {
      const { access_token: key } = await send(port, ISSUE)
      const call = callWith(String(key))
      changes.set(name, await fileChanges(() => send(port, call)))
    }
  } finally {
    server.close()
    server.closeAllConnections()
  }
  return changes
}

/** An app as the README shows it: default options, the keys in memory, TLS ended by a proxy. */
function app({ generateSigningKeys, provisioningKeys }: typeof Library) {
  const keys = provisioningKeys({
    issuer: ISSUER,
    audience: 'https://api.example.com',
    signingKeys: generateSigningKeys(),
    clients: [{ clientId: CLIENT, clientSecret: SECRET, policy: { scopes: SCOPES } }],
  })
  const answer = express.Router().use((_req, res) => void res.json({}))
  const scope = 'devices:create'
  return express()
    .set('trust proxy', 'loopback')
    .use(keys.router())
    .use('/guarded', keys.requireProvisioningKey({ scope }), answer)
    .use('/redeeming', keys.redeemProvisioningKey({ scope }), answer)
    .use(keys.errorHandler())
}

async function send(port: number, { path, headers, body }: Call): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'x-forwarded-proto': 'https', ...headers },
    ...(body && { body }),
  })
  const answer = await response.text()
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${answer}`)
  return JSON.parse(answer)
}

function bearer(key: string) {
  return { authorization: `Bearer ${key}` }
}
