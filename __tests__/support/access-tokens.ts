import type { Express } from 'express'
import type { Test } from 'supertest'
import type { ProvisioningKeys } from '../../lib/index.js'
import { type Prover, prover } from './prover.js'
import { exchangeKey, obtainKey, send } from './requests.js'
import { AUDIENCE, ISSUER, OTHER_AUDIENCE, type RunningServer } from './server.js'

/** The scope of the keys that the tests exchange for access tokens. */
const SCOPE = 'provision:token devices:read'

/** Mounts the endpoints and two routes behind `requireAccessToken()`: one wants a scope, one another audience. */
export function mountAccess(app: Express, keys: ProvisioningKeys): void {
  app.use(keys.router())
  const reader = keys.requireAccessToken({ scope: 'devices:read', audience: AUDIENCE })
  app.all('/config', reader, (req, res) => void res.json(req.accessToken))
  app.get(
    '/elsewhere',
    keys.requireAccessToken({ anyScope: true, audience: OTHER_AUDIENCE }),
    (_req, res) => void res.json({}),
  )
  app.get(
    '/key',
    keys.requireProvisioningKey({ anyScope: true, audience: AUDIENCE }),
    (_req, res) => void res.json({}),
  )
  app.use(keys.errorHandler())
}

/** An access token, and the key that the client exchanged for it. */
export async function obtainToken(
  server: RunningServer,
  { key, form }: { key?: Record<string, string>; form?: Record<string, string> } = {},
): Promise<{ readonly key: string; readonly token: string }> {
  const obtained = await obtainKey(server, { scope: SCOPE, ...key })
  const { body } = await exchangeKey(server, obtained, form).expect(200)
  return { key: obtained, token: body.access_token }
}

/** An access token that is bound to a DPoP key, and the holder of this key. */
export async function obtainBoundToken(
  server: RunningServer,
): Promise<{ readonly key: string; readonly token: string; readonly holder: Prover }> {
  const holder = prover()
  const key = await obtainKey(server, { scope: SCOPE })
  const proof = holder.prove('POST', `${ISSUER}/oauth/token`)
  const { body } = await exchangeKey(server, key).set('DPoP', proof).expect(200)
  return { key, token: body.access_token, holder }
}

/** Presents a token at the guarded route. */
export function callApi(server: RunningServer, token: string, path = '/config'): Test {
  return send(server, 'get', path).set('Authorization', `Bearer ${token}`)
}

/** Presents a token with a DPoP proof at the guarded route. */
export function callApiProving(
  server: RunningServer,
  token: string,
  holder: Prover,
  claims: Record<string, unknown> = {},
): Test {
  const proof = holder.prove('GET', `${AUDIENCE}/config`, token, claims)
  return send(server, 'get', '/config').set('Authorization', `DPoP ${token}`).set('DPoP', proof)
}
