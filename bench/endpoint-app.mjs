/** The candidates of bench/parts/endpoints.mjs. Each function adds its routes to an app. */
import { generateKeyPairSync, randomUUID, sign, timingSafeEqual, verify } from 'node:crypto'
import { serve } from './app-server.mjs'
import { ORIGIN, ourKeys, SECRET } from './our-keys.mjs'

export const EXCHANGE_TYPE = 'urn:ietf:params:oauth:token-type:jwt'

if (process.send !== undefined) await serve({ ours, raw, provider })

function ours(app) {
  const keys = ourKeys(['read', 'provision:token', 'provision:register'])
  const options = { scope: 'read' }
  const create = (_req, res) => res.status(201).json({ id: 'device' })
  const createReturned = () => ({ status: 201, body: { id: 'device' } })
  app.use(keys.router())
  app.post('/devices', keys.redeemProvisioningKey(options), create)
  app.post('/returned', keys.redeemProvisioningKey(options, createReturned))
}

/** What no server can avoid, with the fastest functions of Node. */
function raw(app) {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const used = new Set()
  const expected = Buffer.from(`bench:${SECRET}`)
  const claimsFor = (scope) => {
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: ORIGIN, aud: ORIGIN, sub: 'bench', client_id: 'bench', scope }
    return { ...claims, iat: now, nbf: now, exp: now + 900, jti: randomUUID() }
  }
  const answer = (res, status, body) => {
    res.statusCode = status
    res.setHeader('Content-Type', 'application/json')
    res.setHeader('Cache-Control', 'no-store')
    res.end(JSON.stringify(body))
  }
  const redeem = (token) => {
    const claims = verified(token, pair.publicKey)
    if (claims.exp < Date.now() / 1000 || claims.iss !== ORIGIN || used.has(claims.jti)) throw new Error()
    used.add(claims.jti)
    return claims
  }
  app.post('/oauth/token', (req, res) => {
    const given = Buffer.from(req.headers.authorization.slice(6), 'base64')
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw new Error()
    const claims = claimsFor('read')
    const token = signed(claims, pair.privateKey)
    answer(res, 200, { access_token: token, token_type: 'Bearer', expires_in: 900, key_id: claims.jti })
  })
  app.post('/oauth/exchange', (req, res) => {
    const chunks = []
    req.on('data', (chunk) => chunks.push(chunk))
    req.on('end', () => {
      const form = new URLSearchParams(Buffer.concat(chunks).toString())
      redeem(form.get('subject_token'))
      const token = signed(claimsFor('read'), pair.privateKey)
      answer(res, 200, { access_token: token, token_type: 'Bearer', expires_in: 900, scope: 'read' })
    })
  })
  app.post('/devices', (req, res) => {
    redeem(req.headers.authorization.slice(7))
    answer(res, 201, { id: 'device' })
  })
}

function signed(claims, key) {
  const header = { alg: 'ES256', typ: 'JWT', kid: 'bench' }
  const input = `${encoded(header)}.${encoded(claims)}`
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

function encoded(part) {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

function verified(token, key) {
  const end = token.lastIndexOf('.')
  const signature = Buffer.from(token.slice(end + 1), 'base64url')
  const data = Buffer.from(token.slice(0, end))
  if (!verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature)) throw new Error('not signed')
  return JSON.parse(Buffer.from(token.slice(token.indexOf('.') + 1, end), 'base64url'))
}

/** oidc-provider, mounted in Express as its documentation shows, with access tokens that are ES256 JWTs. */
async function provider(app) {
  // It warns of settings that do not matter here.
  console.info = console.warn = () => undefined
  const { default: Provider } = await import('oidc-provider')
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const resource = { scope: 'read', audience: ORIGIN, accessTokenFormat: 'jwt' }
  const oidc = new Provider(ORIGIN, {
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'bench' }] },
    clients: [
      {
        client_id: 'bench',
        client_secret: SECRET,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    // Its default is RS256, for which it would need another key.
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    scopes: ['read'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      registration: { enabled: true, initialAccessToken: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => ORIGIN,
        getResourceServerInfo: () => ({ ...resource, jwt: { sign: { alg: 'ES256' } } }),
      },
    },
  })
  oidc.proxy = true
  const initialAccessToken = await new oidc.InitialAccessToken({}).save()
  app.use(oidc.callback())
  return { initialAccessToken }
}
