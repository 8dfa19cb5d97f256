// What one key costs over its life, asked for and redeemed over HTTPS: processor time of the app and of Redis, commands,
// bytes. From that, what a rate of keys needs. Processor time is counted, not the clock, so that a busy machine does.
// `npm run build` first, then `node bench/capacity.mjs [keys per second] [keys] [--no-limits]`; 3,000 keys, and a million a
// minute, where nothing is said. Starts a redis-server of its own.
import { fork, spawn } from 'node:child_process'
import { createHash, generateKeyPairSync, randomUUID, sign, verify } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, createServer as createHttpsServer, request } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import express from 'express'
import { provisioningKeys } from 'express-provisioning-keys'
import { redisStore } from 'express-provisioning-keys/redis'
import { Redis } from 'ioredis'
import { RedisStore as RedisLimits } from 'rate-limit-redis'
import { generate } from 'selfsigned'

const ISSUER = 'https://auth.example.com'
const SECRET = 'correct-horse-battery-staple'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt'
const AT_ONCE = 16
const CLIENTS = 1000

if (process.send === undefined) await measure()
else process.once('message', serve)

/** The app, in a process of its own. */
async function serve({ port, certificate, signingKey, limited }) {
  const redis = new Redis(port)
  const sendCommand = ([name, ...args]) => redis.call(name, ...args)
  const scopes = ['provision:token']
  const clients = Array.from({ length: CLIENTS }, (_, i) => ({
    clientId: `device-${i}`,
    clientSecret: SECRET,
  }))
  const limits = (name) =>
    new RedisLimits({ prefix: `limit:${name}:`, sendCommand: (...command) => sendCommand(command) })
  const keys = provisioningKeys({
    issuer: ISSUER,
    audience: 'https://api.example.com',
    signingKeys: signingKey,
    policy: { scopes, defaultScopes: scopes, outstandingKeys: 1_000_000 },
    clients,
    store: redisStore({ sendCommand }),
    rateLimit: limited && { token: { limit: 1_000_000_000 }, store: limits },
  })
  const app = express().use(keys.router())
  const https = createHttpsServer(certificate, app)
  https.listen(0, '127.0.0.1', () => process.send({ port: https.address().port }))
  process.on('message', () => process.send(process.cpuUsage()))
}

async function measure() {
  const arguments_ = process.argv.slice(2).filter((argument) => argument !== '--no-limits')
  const [rate = 1_000_000 / 60, count = 3000] = arguments_.map(Number)
  const limited = arguments_.length === process.argv.length - 2
  const site = await start(limited)
  try {
    plan(rate, ...(await costsAt(site, count)))
  } finally {
    await site.stop()
  }
}

async function costsAt(site, count) {
  console.log(
    `Redis ${await site.version()}, Node ${process.versions.node}, ES256, ${count} keys of ${CLIENTS} clients\n`,
  )
  row('for each', 'app', 'Redis', 'commands', 'to Redis', 'from Redis', 'in', 'out')
  row('', 'us', 'us', '', 'bytes', 'bytes', 'bytes', 'bytes')
  const keys = []
  const ask = (i) => post(site, tokenForm(), i).then((answer) => keys.push(answer.access_token))
  await phase(site, AT_ONCE * 20, ask)
  const costs = {}
  const memory = { before: await site.memory() }
  costs.issue = await told(site, 'key asked for, by its secret', count, ask)
  memory.issued = (await site.memory()) - memory.before
  const redeemed = keys.slice(-count)
  costs.redeem = await told(site, 'key exchanged', count, (i) => post(site, exchangeForm(redeemed[i])))
  memory.redeemed = (await site.memory()) - memory.before
  costs.dpop = await told(site, 'the same two with DPoP', count / 4, (i) => dpopLife(site, i))
  costs.handshake = await told(site, 'new connection (TLS 1.3)', count / 4, () => connectOnce(site))
  signatures()
  return [costs, { issued: memory.issued / count, redeemed: memory.redeemed / count }]
}

/** What of it is for signatures: one is made for a key, one for an access token, and one is verified. */
function signatures() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const text = Buffer.alloc(600, 'a')
  const signed = sign('sha256', text, privateKey)
  const acts = {
    'an ES256 signature': () => sign('sha256', text, privateKey),
    'its verification': () => verify('sha256', text, publicKey, signed),
  }
  for (const [name, act] of Object.entries(acts)) {
    const before = process.cpuUsage()
    for (let i = 0; i < 2000; i += 1) act()
    const { user, system } = process.cpuUsage(before)
    row(name, (user + system) / 2000)
  }
}

/** What a rate needs, line by line, from what was measured. */
function plan(rate, { issue, redeem, dpop, handshake }, bytes) {
  const life = { issued: 305, redeemed: 3605 }
  const cores = (micros) => (rate * micros) / 1e6
  const app = issue.app + redeem.app
  const redis = issue.redis + redeem.redis
  console.log(
    `\n${Math.round(rate)} keys a second, each redeemed at once; processes and primaries at 60 % of a core\n`,
  )
  const lines = [
    ['app, connections kept alive', cores(app) / 0.6, 'cores'],
    ['app, a connection for each request', cores(app + 2 * handshake.app) / 0.6, 'cores'],
    ['app, with DPoP, kept alive', cores(dpop.app) / 0.6, 'cores'],
    ['Redis primaries', cores(redis) / 0.6, 'cores'],
    ['Redis primaries, with DPoP', cores(dpop.redis) / 0.6, 'cores'],
    ['commands', rate * (issue.commands + redeem.commands), 'a second'],
    ['memory, access tokens of 3600 s', (rate * bytes.redeemed * life.redeemed) / 1e9, 'GB'],
    ['memory, access tokens of 300 s', (rate * bytes.redeemed * life.issued) / 1e9, 'GB'],
    [
      'network to Redis, both ways',
      (rate * 8 * (issue.to + issue.from + redeem.to + redeem.from)) / 1e6,
      'Mbit/s',
    ],
    [
      'network to clients, without TLS',
      (rate * 8 * (issue.in + issue.out + redeem.in + redeem.out)) / 1e6,
      'Mbit/s',
    ],
  ]
  for (const [what, amount, unit] of lines)
    console.log(`${what.padEnd(38)}${amount.toFixed(amount < 100 ? 1 : 0).padStart(10)} ${unit}`)
  console.log(
    `\nbytes in Redis: ${Math.round(bytes.issued)} for a key, ${Math.round(bytes.redeemed)} once it is redeemed`,
  )
}

async function told(site, name, count, act) {
  const cost = await phase(site, Math.round(count), act)
  row(name, cost.app, cost.redis, cost.commands, cost.to, cost.from, cost.in, cost.out)
  return cost
}

/** What each of `count` acts costs. */
async function phase(site, count, act) {
  const before = await site.counters()
  for (let i = 0; i < count; i += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - i) }, (_, j) => act(i + j)))
  const after = await site.counters()
  return Object.fromEntries(Object.keys(after).map((name) => [name, (after[name] - before[name]) / count]))
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

async function dpopLife(site, i) {
  const pair = site.proofKeys[i % site.proofKeys.length]
  const key = (await post(site, tokenForm(), i, proofOf(pair))).access_token
  await post(site, exchangeForm(key), undefined, proofOf(pair, key))
}

function proofOf({ privateKey, jwk }, key) {
  const ath = key === undefined ? {} : { ath: createHash('sha256').update(key).digest('base64url') }
  const claims = {
    jti: randomUUID(),
    htm: 'POST',
    htu: `${ISSUER}/oauth/token`,
    iat: Math.floor(Date.now() / 1000),
    ...ath,
  }
  const text = [{ typ: 'dpop+jwt', alg: 'ES256', jwk }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${text}.${sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

function post(site, form, client, proof) {
  const body = new URLSearchParams(form).toString()
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': body.length }
  if (client !== undefined)
    headers.Authorization = `Basic ${Buffer.from(`device-${client % CLIENTS}:${SECRET}`).toString('base64')}`
  if (proof !== undefined) headers.DPoP = proof
  return send(site, { method: 'POST', path: '/oauth/token', headers, agent: site.agent }, body)
}

/** A whole handshake, and the smallest of requests. */
function connectOnce(site) {
  return send(site, { method: 'GET', path: '/nothing', agent: new Agent({ maxCachedSessions: 0 }) }, '', 404)
}

function send(site, options, body, expected = 200) {
  return new Promise((resolve, reject) => {
    const asking = request(
      { host: '127.0.0.1', port: site.port, servername: 'localhost', ca: site.cert, ...options },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (data) => {
          text += data
        })
        response.once('end', () => {
          site.bytes.in += sizeOf(asking.getHeaders()) + body.length
          site.bytes.out += sizeOf(response.headers) + text.length
          if (response.statusCode !== expected) reject(new Error(`${response.statusCode} ${text}`))
          else resolve(expected === 200 ? JSON.parse(text) : undefined)
        })
      },
    )
    asking.once('error', reject).end(body)
  })
}

/** About what a message is without its body. */
function sizeOf(headers) {
  return Object.entries(headers).reduce(
    (sum, [name, value]) => sum + name.length + String(value).length + 4,
    40,
  )
}

async function start(limited) {
  const redis = await startRedis()
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  })
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signingKey = privateKey.export({ format: 'pem', type: 'pkcs8' })
  const app = fork(fileURLToPath(import.meta.url))
  app.send({ port: redis.port, certificate: { key: made.private, cert: made.cert }, signingKey, limited })
  const answer = () => new Promise((resolve) => app.once('message', resolve))
  const { port } = await answer()
  const bytes = { in: 0, out: 0 }
  const proofKeys = Array.from({ length: 32 }, () => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    return { privateKey: pair.privateKey, jwk: pair.publicKey.export({ format: 'jwk' }) }
  })
  return {
    port,
    bytes,
    proofKeys,
    cert: made.cert,
    agent: new Agent({ keepAlive: true, maxSockets: AT_ONCE }),
    version: redis.version,
    memory: redis.memory,
    async counters() {
      app.send('processor time')
      const { user, system } = await answer()
      return { app: user + system, ...(await redis.counters()), ...bytes }
    },
    async stop() {
      app.kill()
      await redis.stop()
    },
  }
}

async function startRedis() {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const settings = [
    '--port',
    port,
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
  ]
  const server = spawn('redis-server', settings.map(String), { stdio: 'ignore' })
  server.on('error', () => {
    console.error('redis-server is needed: apt-get update && apt-get install -y redis-server')
    process.exit(1)
  })
  const redis = new Redis(port, { retryStrategy: () => 50, maxRetriesPerRequest: 100 })
  redis.on('error', () => undefined)
  const number = async (section, ...names) => {
    const text = await redis.info(section)
    return names.map((name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1]))
  }
  return {
    port,
    memory: async () => (await number('memory', 'used_memory'))[0],
    version: async () => /redis_version:(\S+)/.exec(await redis.info('server'))?.[1],
    async counters() {
      const [user, system] = await number('cpu', 'used_cpu_user', 'used_cpu_sys')
      const [to, from] = await number('stats', 'total_net_input_bytes', 'total_net_output_bytes')
      const stats = await redis.info('commandstats')
      const sent = [...stats.matchAll(/^cmdstat_(?:evalsha|eval):calls=(\d+)/gm)]
      const commands = sent.reduce((sum, [, calls]) => sum + Number(calls), 0)
      return { redis: (user + system) * 1e6, commands, to, from }
    },
    async stop() {
      redis.disconnect()
      server.kill('SIGKILL')
      rmSync(folder, { recursive: true })
    },
  }
}

async function freePort() {
  const probe = createServer()
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return port
}
