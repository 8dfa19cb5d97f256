// What a DPoP proof costs per request behind requireProvisioningKey(), beside a bearer key, in one and the same run.
// `npm run build` first, then `node bench/dpop.mjs [requests per round]`.
import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto'
import { Agent, request } from 'node:http'
import express from 'express'
import { generateSigningKeys, memoryStore, provisioningKeys } from 'express-provisioning-keys'

const REQUESTS = Number(process.argv[2] ?? 300)
const ROUNDS = 9
const ORIGIN = 'https://api.example.com'
const SECRET = randomBytes(32).toString('hex')

const PAIRS = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  Ed25519: generateKeyPairSync('ed25519'),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
}

const keys = provisioningKeys({
  issuer: ORIGIN,
  audience: ORIGIN,
  signingKeys: generateSigningKeys(),
  rateLimit: false,
  clients: [{ clientId: 'bench', clientSecret: SECRET, policy: { scopes: ['read'] } }],
  store: memoryStore({ maxKeys: 10_000_000 }),
})
const app = express()
app.set('trust proxy', 'loopback')
app.use(keys.router())
app.get('/open', (_req, res) => res.sendStatus(204))
app.get('/guarded', keys.requireProvisioningKey({ anyScope: true }), (_req, res) => res.sendStatus(204))
const server = app.listen(0, '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

function send(method, path, headers, body) {
  return new Promise((resolve, reject) => {
    const { port } = server.address()
    const all = { 'X-Forwarded-Proto': 'https', ...headers }
    const sent = request({ host: '127.0.0.1', port, method, path, agent, headers: all }, async (response) => {
      const chunks = []
      for await (const chunk of response) chunks.push(chunk)
      resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() })
    })
    sent.on('error', reject).end(body)
  })
}

function proof(alg, path, method, token) {
  const { publicKey, privateKey } = PAIRS[alg]
  const ath = token && createHash('sha256').update(token).digest('base64url')
  const header = { typ: 'dpop+jwt', alg, jwk: publicKey.export({ format: 'jwk' }) }
  const claims = {
    jti: randomUUID(),
    htm: method,
    htu: `${ORIGIN}${path}`,
    iat: Math.floor(Date.now() / 1000),
    ath,
  }
  const input = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' }
  return `${input}.${sign(alg === 'Ed25519' ? null : 'sha256', Buffer.from(input), key).toString('base64url')}`
}

async function obtainKey(alg) {
  const headers = {
    Authorization: `Basic ${Buffer.from(`bench:${SECRET}`).toString('base64')}`,
    'Content-Type': 'application/x-www-form-urlencoded',
    ...(alg && { DPoP: proof(alg, '/oauth/token', 'POST') }),
  }
  const { text } = await send(
    'POST',
    '/oauth/token',
    headers,
    'grant_type=client_credentials&scope=read&requested_expiry=900',
  )
  return JSON.parse(text).access_token
}

/** Microseconds per request; the requests are made ready before the clock runs. */
async function measure(path, headersOf) {
  const headers = Array.from({ length: REQUESTS }, headersOf)
  const begin = process.hrtime.bigint()
  for (const each of headers) {
    const { status } = await send('GET', path, each)
    if (status !== 204) throw new Error(`${path} answered ${status}`)
  }
  return Number(process.hrtime.bigint() - begin) / 1000 / REQUESTS
}

const bearer = await obtainKey()
const subjects = {
  open: () => measure('/open', () => ({})),
  bearer: () => measure('/guarded', () => ({ Authorization: `Bearer ${bearer}` })),
}
for (const alg of Object.keys(PAIRS)) {
  const key = await obtainKey(alg)
  subjects[alg] = () =>
    measure('/guarded', () => ({ Authorization: `DPoP ${key}`, DPoP: proof(alg, '/guarded', 'GET', key) }))
}

// Each round measures all of them, so that whatever else the machine does falls on all alike; the first warms up.
const rounds = Object.fromEntries(Object.keys(subjects).map((name) => [name, []]))
for (let round = 0; round <= ROUNDS; round += 1) {
  for (const [name, run] of Object.entries(subjects)) rounds[name].push(await run())
}
const median = (numbers) => numbers.slice(1).sort((a, b) => a - b)[ROUNDS >> 1]
const [open, bearerCost] = [median(rounds.open), median(rounds.bearer)]
console.log(
  `median of ${ROUNDS} rounds of ${REQUESTS} requests, microseconds per request, one connection, Node ${process.version}`,
)
for (const name of Object.keys(subjects)) {
  const cost = median(rounds[name])
  const own = cost - open
  const ratio =
    name === 'open'
      ? ''
      : `  verification ${own.toFixed(0)} us, ${(own / (bearerCost - open)).toFixed(2)} x bearer`
  console.log(`${name.padEnd(8)} ${cost.toFixed(0).padStart(6)}${ratio}`)
}
agent.destroy()
server.close()
