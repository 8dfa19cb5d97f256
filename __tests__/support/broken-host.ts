import express, { type Express, type Request, type RequestHandler } from 'express'
import { generateSigningKeys, type ProvisioningKeys, provisioningKeys } from '../../lib/index.js'
import { type TestKit, testClock, testKit } from '../../lib/testing/testing.js'
import { hashOf } from './proof.js'

export const CLIENT = { clientId: 'fleet', clientSecret: 'the-secret-of-the-tests-1' }
export const AUDIENCE = 'https://api.example.com'
export const OTHER_AUDIENCE = 'https://files.example.com'
export const SCOPE = 'devices:create'

/** An app under test, and the kit for it. */
export interface Host {
  readonly app: Express
  readonly keys: ProvisioningKeys
  readonly kit: TestKit
}

/** An app whose route `/devices` has this guard, and that is right otherwise. */
export function hostWith(
  guardOf: (keys: ProvisioningKeys) => RequestHandler,
  ...before: RequestHandler[]
): Host {
  const clock = testClock()
  const scopes = [SCOPE, 'devices:read', 'provision:token']
  const keys = provisioningKeys({
    issuer: 'https://auth.example.com',
    audience: [AUDIENCE, OTHER_AUDIENCE],
    signingKeys: generateSigningKeys(),
    clients: [{ ...CLIENT, policy: { scopes, subjects: ['device:*'] } }],
    policy: { scopes },
    rateLimit: false,
    monitoring: false,
    now: clock.now,
    observer: () => undefined,
  })
  const app = express()
  app.use(...before, keys.router())
  app.all('/devices', guardOf(keys), (_req, res) => void res.status(201).json({ created: true }))
  return { app, keys, kit: testKit({ app, client: CLIENT, clock }) }
}

export const honest = (keys: ProvisioningKeys) =>
  keys.redeemProvisioningKey({ scope: SCOPE, audience: AUDIENCE })

/** A guard as a developer without a library writes it: it reads the claims, and verifies nothing. */
export function naiveGuard(tokenOf: (req: Request) => unknown = tokenInHeader): RequestHandler {
  return (req, res, next) => {
    try {
      const [, claims = ''] = String(tokenOf(req)).split('.')
      const { scope } = JSON.parse(Buffer.from(claims, 'base64url').toString())
      if (String(scope).split(' ').includes(SCOPE)) return next()
    } catch {
      // No token, or none that can be read.
    }
    res.status(401).json({ error: 'invalid_token' })
  }
}

/** A guard that wants a token with the scheme DPoP and a proof of its DPoP key, but verifies no signature. */
export function readsBound(
  tokenOf: (req: Request) => unknown = tokenInHeader,
  guard: RequestHandler = naiveGuard(tokenOf),
): RequestHandler {
  return (req, res, next) => {
    const { authorization = 'DPoP', dpop = '' } = req.headers
    const [, claims = ''] = String(dpop).split('.')
    const { ath, htu } = claims === '' ? {} : JSON.parse(Buffer.from(claims, 'base64url').toString())
    const isProven = ath === hashOf(String(tokenOf(req))) && htu === `${AUDIENCE}${req.path}`
    if (/^DPoP/.test(authorization) && isProven) guard(req, res, next)
    else res.status(401).json({ error: 'invalid_dpop_proof' })
  }
}

export function tokenInHeader(req: Request): unknown {
  return req.headers.authorization?.replace(/^(Bearer|DPoP) /, '')
}

export const tokenInQuery = (req: Request) => tokenInHeader(req) ?? req.query['access_token']
export const tokenInBody = (req: Request) => tokenInHeader(req) ?? req.body?.access_token
