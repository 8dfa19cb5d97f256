// Measures what a key costs from its issue to its exchange, over HTTPS: processor time of the app and of Redis, commands
// and bytes. From this, computes the resources for a rate of keys. Processor time, unlike elapsed time, depends little on
// other load of the machine.
// Run `npm run build` first, then `node bench/capacity.mjs [keys per second] [keys] [--no-limits]`. The defaults are a
// million keys a minute, computed from 3,000 keys. This starts a redis-server.
import { fork } from 'node:child_process'
import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { Agent, request } from 'node:https'
import { fileURLToPath } from 'node:url'
import { generate } from 'selfsigned'
import { CLIENTS, ISSUER, SECRET } from './capacity-app.mjs'
import { dpopProof } from './dpop-proof.mjs'
import { startRedis } from './redis-server.mjs'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt'
const CONCURRENCY = 16
/** How much of a core a process may use on average. */
const UTILIZATION = 0.6

const arguments_ = process.argv.slice(2).filter((argument) => argument !== '--no-limits')
const [rate = 1_000_000 / 60, count = 3000] = arguments_.map(Number)
const site = await start({ isLimited: arguments_.length === process.argv.length - 2 })
try {
  printPlan(rate, await measure(count))
} finally {
  site.stop()
}

async function measure(count) {
  console.log(
    `Redis ${await site.redis.version()}, Node ${process.versions.node}, ES256, ${count} keys of ${CLIENTS} clients\n`,
  )
  row('for each', 'app', 'Redis', 'commands', 'to Redis', 'from Redis', 'in', 'out')
  row('', 'us', 'us', '', 'bytes', 'bytes', 'bytes', 'bytes')
  const keys = []
  const issue = (i) => post(tokenForm(), i).then((answer) => keys.push(answer.access_token))
  await costOf(CONCURRENCY * 20, issue)
  const memoryBefore = await site.redis.usedMemory()
  const memoryPerKey = async () => ((await site.redis.usedMemory()) - memoryBefore) / count
  const issued = await printCost('issue a key, by client secret', count, issue)
  const bytesIssued = await memoryPerKey()
  const newKeys = keys.slice(-count)
  const redeemed = await printCost('exchange a key', count, (i) => post(exchangeForm(newKeys[i])))
  const bytesRedeemed = await memoryPerKey()
  const dpop = await printCost('both with DPoP', count / 4, issueAndExchangeWithDpop)
  const handshake = await printCost('new connection (TLS 1.3)', count / 4, connectOnce)
  printSignatures()
  return { issued, redeemed, dpop, handshake, bytesIssued, bytesRedeemed }
}

/** The share of signatures: issuing a key creates one, and exchanging it verifies one and creates another. */
function printSignatures() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const text = Buffer.alloc(600, 'a')
  const signature = sign('sha256', text, privateKey)
  const operations = {
    'create an ES256 signature': () => sign('sha256', text, privateKey),
    'verify an ES256 signature': () => verify('sha256', text, publicKey, signature),
  }
  for (const [name, run] of Object.entries(operations)) {
    const before = process.cpuUsage()
    for (let i = 0; i < 2000; i += 1) run()
    const { user, system } = process.cpuUsage(before)
    row(name, (user + system) / 2000)
  }
}

function printPlan(rate, { issued, redeemed, dpop, handshake, bytesIssued, bytesRedeemed }) {
  const cores = (microseconds) => (rate * microseconds) / 1e6 / UTILIZATION
  const app = issued.app + redeemed.app
  const sum = (...names) => names.reduce((total, name) => total + issued[name] + redeemed[name], 0)
  const megabits = (...names) => (rate * 8 * sum(...names)) / 1e6
  const gigabytes = (retainedSeconds) => (rate * bytesRedeemed * retainedSeconds) / 1e9
  console.log(
    `\nFor ${Math.round(rate)} keys a second, each redeemed immediately, with ${UTILIZATION * 100} % of a core used:\n`,
  )
  const lines = [
    ['app, connections kept alive', cores(app), 'cores'],
    ['app, a connection for each request', cores(app + 2 * handshake.app), 'cores'],
    ['app, with DPoP, kept alive', cores(dpop.app), 'cores'],
    ['Redis primaries', cores(issued.redis + redeemed.redis), 'cores'],
    ['Redis primaries, with DPoP', cores(dpop.redis), 'cores'],
    ['commands', rate * sum('commands'), 'a second'],
    ['memory, access tokens of 3600 s', gigabytes(3605), 'GB'],
    ['memory, access tokens of 300 s', gigabytes(305), 'GB'],
    ['network to Redis, both ways', megabits('to', 'from'), 'Mbit/s'],
    ['network to clients, without TLS', megabits('in', 'out'), 'Mbit/s'],
  ]
  for (const [name, amount, unit] of lines)
    console.log(`${name.padEnd(38)}${amount.toFixed(amount < 100 ? 1 : 0).padStart(10)} ${unit}`)
  console.log(
    `\nA key takes ${Math.round(bytesIssued)} bytes in Redis, and ${Math.round(bytesRedeemed)} after it is redeemed.`,
  )
}

async function printCost(name, count, call) {
  const cost = await costOf(Math.round(count), call)
  row(name, cost.app, cost.redis, cost.commands, cost.to, cost.from, cost.in, cost.out)
  return cost
}

/** Makes `count` calls, and returns the cost of one. */
async function costOf(count, call) {
  const before = await counters()
  for (let i = 0; i < count; i += CONCURRENCY)
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY, count - i) }, (_, j) => call(i + j)))
  const after = await counters()
  return Object.fromEntries(Object.keys(after).map((name) => [name, (after[name] - before[name]) / count]))
}

async function counters() {
  const { user, system } = await site.processorTime()
  return { app: user + system, ...(await redisCounters()), ...site.bytes }
}

async function redisCounters() {
  const text = await site.redis.redis.info('all')
  const number = (name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1])
  const scripts = [...text.matchAll(/^cmdstat_(?:evalsha|eval):calls=(\d+)/gm)]
  return {
    redis: (number('used_cpu_user') + number('used_cpu_sys')) * 1e6,
    commands: scripts.reduce((sum, [, calls]) => sum + Number(calls), 0),
    to: number('total_net_input_bytes'),
    from: number('total_net_output_bytes'),
  }
}

function row(name, ...cells) {
  const texts = cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(cell < 10 ? 1 : 0) : cell))
  console.log(name.padEnd(30) + texts.map((text) => text.padStart(11)).join(''))
}

function tokenForm() {
  return { grant_type: 'client_credentials' }
}

function exchangeForm(key) {
  return { grant_type: EXCHANGE, subject_token: key, subject_token_type: JWT_TYPE }
}

async function issueAndExchangeWithDpop(i) {
  const pair = site.proofKeys[i % site.proofKeys.length]
  const target = { method: 'POST', url: `${ISSUER}/oauth/token` }
  const { access_token: key } = await post(tokenForm(), i, dpopProof(pair, 'ES256', target))
  await post(exchangeForm(key), undefined, dpopProof(pair, 'ES256', { ...target, token: key }))
}

function post(form, client, proof) {
  const body = new URLSearchParams(form).toString()
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': body.length }
  if (client !== undefined)
    headers.Authorization = `Basic ${Buffer.from(`device-${client % CLIENTS}:${SECRET}`).toString('base64')}`
  if (proof !== undefined) headers.DPoP = proof
  return send({ method: 'POST', path: '/oauth/token', headers, agent: site.agent }, body)
}

/** Makes a full TLS handshake, and sends a minimal request. */
function connectOnce() {
  return send({ method: 'GET', path: '/nothing', agent: new Agent({ maxCachedSessions: 0 }) }, '', 404)
}

function send(options, body, expectedStatus = 200) {
  const target = { host: '127.0.0.1', port: site.port, servername: 'localhost', ca: site.ca }
  return new Promise((resolve, reject) => {
    const sent = request({ ...target, ...options }, async (response) => {
      let text = ''
      for await (const chunk of response.setEncoding('utf8')) text += chunk
      site.bytes.in += headerSize(sent.getHeaders()) + body.length
      site.bytes.out += headerSize(response.headers) + text.length
      if (response.statusCode !== expectedStatus) reject(new Error(`${response.statusCode} ${text}`))
      else resolve(expectedStatus === 200 ? JSON.parse(text) : undefined)
    })
    sent.once('error', reject).end(body)
  })
}

/** The approximate size of a message without its body. */
function headerSize(headers) {
  const startLine = 40
  return Object.entries(headers).reduce(
    (sum, [name, value]) => sum + name.length + String(value).length + 4,
    startLine,
  )
}

async function start({ isLimited }) {
  const redis = await startRedis()
  const certificate = await localhostCertificate()
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signingKey = privateKey.export({ format: 'pem', type: 'pkcs8' })
  const app = fork(fileURLToPath(new URL('capacity-app.mjs', import.meta.url)))
  const answerTo = (message) =>
    new Promise((resolve) => {
      app.once('message', resolve)
      app.send(message)
    })
  const { port } = await answerTo({ port: redis.port, certificate, signingKey, isLimited })
  return {
    ...{ port, redis, ca: certificate.cert, bytes: { in: 0, out: 0 } },
    proofKeys: Array.from({ length: 32 }, () => generateKeyPairSync('ec', { namedCurve: 'P-256' })),
    agent: new Agent({ keepAlive: true, maxSockets: CONCURRENCY }),
    processorTime: () => answerTo('processor time'),
    stop() {
      app.kill()
      redis.stop()
    },
  }
}

async function localhostCertificate() {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  })
  return { key, cert }
}
