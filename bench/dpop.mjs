// Compares requests with a DPoP-bound key and with a bearer key behind requireProvisioningKey().
// Run `npm run build` first, then `node bench/dpop.mjs [requests per round]`.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'
import express from 'express'
import { generateSigningKeys, memoryStore, provisioningKeys } from 'express-provisioning-keys'
import { dpopProof } from './dpop-proof.mjs'

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
  store: memoryStore({ maxKeys: 10_000_000, maxProofsPerKey: 100_000, maxProofsPerClient: 1_000_000 }),
})
const app = express()
app.set('trust proxy', 'loopback')
app.use(keys.router())
app.get('/open', (_req, res) => res.sendStatus(204))
app.get('/guarded', keys.requireProvisioningKey({ anyScope: true }), (_req, res) => res.sendStatus(204))
const server = app.listen(0, '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

const bearerKey = await obtainKey()
const subjects = {
  open: () => measure('/open', () => ({})),
  bearer: () => measure('/guarded', () => ({ Authorization: `Bearer ${bearerKey}` })),
}
for (const alg of Object.keys(PAIRS)) {
  const key = await obtainKey(alg)
  subjects[alg] = () =>
    measure('/guarded', () => ({ Authorization: `DPoP ${key}`, DPoP: proof(alg, 'GET', '/guarded', key) }))
}

// Each round measures all subjects, so that other load on the machine affects them equally. The first one warms up.
const rounds = Object.fromEntries(Object.keys(subjects).map((name) => [name, []]))
for (let round = 0; round <= ROUNDS; round += 1) {
  for (const [name, run] of Object.entries(subjects)) rounds[name].push(await run())
}
report()
agent.destroy()
server.close()

function report() {
  console.log(
    `Median of ${ROUNDS} rounds with ${REQUESTS} requests each, over one connection, Node ${process.version}`,
  )
  console.log('(microseconds per request; verification is the difference to an open route)\n')
  const median = (numbers) => numbers.slice(1).sort((a, b) => a - b)[ROUNDS >> 1]
  const open = median(rounds.open)
  const bearer = median(rounds.bearer) - open
  for (const name of Object.keys(subjects)) {
    const cost = median(rounds[name])
    const verification = cost - open
    const ratio = (verification / bearer).toFixed(2)
    const comparison = name === 'open' ? '' : `  verification ${verification.toFixed(0)}, ${ratio} x bearer`
    console.log(`${name.padEnd(8)} ${cost.toFixed(0).padStart(6)}${comparison}`)
  }
}

function proof(alg, method, path, token) {
  return dpopProof(PAIRS[alg], alg, { method, url: `${ORIGIN}${path}`, token })
}

async function obtainKey(alg) {
  const headers = {
    Authorization: `Basic ${Buffer.from(`bench:${SECRET}`).toString('base64')}`,
    'Content-Type': 'application/x-www-form-urlencoded',
    ...(alg && { DPoP: proof(alg, 'POST', '/oauth/token') }),
  }
  const form = 'grant_type=client_credentials&scope=read&requested_expiry=900'
  const { text } = await send('POST', '/oauth/token', headers, form)
  return JSON.parse(text).access_token
}

/** Returns microseconds per request. The headers, and with them the proofs, are created before. */
async function measure(path, headersOf) {
  const headers = Array.from({ length: REQUESTS }, headersOf)
  const begin = process.hrtime.bigint()
  for (const each of headers) {
    const { status } = await send('GET', path, each)
    if (status !== 204) throw new Error(`${path} answered ${status}`)
  }
  return Number(process.hrtime.bigint() - begin) / 1000 / REQUESTS
}

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
