/** The candidates of bench/parts/stack.mjs and bench/parts/garbage.mjs. */
import { generateKeyPairSync, randomUUID, verify } from 'node:crypto'
import { rateLimit } from 'express-rate-limit'
import { createSigner, createVerifier } from 'fast-jwt'
import helmet from 'helmet'
import { serve } from './app-server.mjs'
import { ORIGIN, ourKeys } from './our-keys.mjs'

const LIMIT = { limit: 1_000_000_000, standardHeaders: 'draft-8', legacyHeaders: false, validate: false }
const answer = (_req, res) => res.json({ celsius: 21.5 })

if (process.send !== undefined) await serve({ bare, limit, fast, ours, unmonitored })

function bare(app) {
  app.get('/telemetry', answer)
  issueTokens(app, newSigner())
}

/** What no server can avoid: some headers, a counter for each address, and the signature of a token that is new. */
function limit(app) {
  const { publicKey, sign } = newSigner()
  const known = new Map()
  const counts = new Map()
  app.get('/telemetry', (req, res) => {
    for (const name of HEADERS) res.setHeader(name, 'none')
    counts.set(req.ip, (counts.get(req.ip) ?? 0) + 1)
    const token = req.headers.authorization.slice(7)
    if (!known.has(token)) known.set(token, verified(token, publicKey))
    if (known.get(token).exp < Date.now() / 1000) throw new Error('expired')
    answer(req, res)
  })
  issueTokens(app, { sign })
}

const HEADERS = ['Strict-Transport-Security', 'Content-Security-Policy', 'X-Content-Type-Options', 'X-Limit']

/** helmet, express-rate-limit and fast-jwt with its cache, as a team would put them together. */
function fast(app) {
  const { publicKey, sign } = newSigner()
  const pem = publicKey.export({ type: 'spki', format: 'pem' })
  const verifyToken = createVerifier({ key: pem, algorithms: ['ES256'], allowedIss: ORIGIN, cache: 10_000 })
  app.use(helmet(), rateLimit(LIMIT))
  app.get('/telemetry', (req, res) => {
    req.claims = verifyToken(req.headers.authorization.slice(7))
    answer(req, res)
  })
  issueTokens(app, { sign })
}

function ours(app, options = {}) {
  const keys = ourKeys(['read'], options)
  app.use(keys.securityHeaders(), rateLimit(LIMIT))
  app.get('/telemetry', keys.requireProvisioningKey({ scope: 'read' }), answer)
  app.use(keys.router(), keys.errorHandler())
}

/** The same without the rules that find misuse. */
function unmonitored(app) {
  ours(app, { monitoring: false })
}

function newSigner() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
  return { publicKey, sign: createSigner({ key, algorithm: 'ES256', expiresIn: 900_000, iss: ORIGIN }) }
}

function issueTokens(app, { sign }) {
  app.post('/oauth/token', (_req, res) =>
    res.json({ access_token: sign({ jti: randomUUID(), scope: 'read' }) }),
  )
}

function verified(token, publicKey) {
  const end = token.lastIndexOf('.')
  const signature = Buffer.from(token.slice(end + 1), 'base64url')
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' }
  if (!verify('sha256', Buffer.from(token.slice(0, end)), key, signature)) throw new Error('not signed')
  return JSON.parse(Buffer.from(token.slice(token.indexOf('.') + 1, end), 'base64url'))
}
