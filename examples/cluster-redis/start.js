import { execFileSync, spawn } from 'node:child_process'
import cluster from 'node:cluster'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { hashSecret } from 'express-provisioning-keys'
import { createClient } from 'redis'

const { PORT = '8443', REDIS_URL = 'redis://127.0.0.1:6379' } = process.env
const ORIGIN = `https://localhost:${PORT}`

const { host } = new URL(REDIS_URL)
const redis = createClient({ url: REDIS_URL, socket: { reconnectStrategy: false } })
await redis.connect().catch(({ message }) => {
  console.error(`No Redis answers at ${host} (${message}). Start redis-server, or set REDIS_URL.`)
  process.exit(1)
})
redis.destroy()

// All workers read the same secrets, from files that only this user can read.
const SECRETS = mkdtempSync(`${tmpdir()}/cluster-redis-`)
process.on('exit', () => rmSync(SECRETS, { recursive: true }))
const FLEET_SECRET = randomBytes(32).toString('hex')
writeFileSync(`${SECRETS}/fleet.hash`, hashSecret(FLEET_SECRET))
const openssl = (command) => execFileSync('openssl', command.split(' '), { cwd: SECRETS, stdio: 'pipe' })
const ec = '-pkeyopt ec_paramgen_curve:P-256'
openssl(`genpkey -algorithm EC ${ec} -out signing-key.pem`)
const localhost = '-subj /CN=localhost -addext subjectAltName=DNS:localhost'
openssl(`req -x509 -newkey ec ${ec} -nodes -keyout tls.key -out tls.crt ${localhost}`)

cluster.setupPrimary({ exec: 'worker.js' })
cluster.on('exit', (_worker, code) => code && process.exit(code))
const events = {}
cluster.on('message', (_worker, { type }) => (events[type] = (events[type] ?? 0) + 1))
const env = { ORIGIN, REDIS_URL, SECRETS, RUN: randomUUID() }
const workers = [cluster.fork(env), cluster.fork(env)]
await Promise.all(workers.map((worker) => once(worker, 'listening')))
console.log(`2 workers listen at ${ORIGIN} and share the Redis at ${host}`)

const client = spawn(process.execPath, ['client.js'], {
  env: { ...process.env, ORIGIN, FLEET_SECRET, NODE_EXTRA_CA_CERTS: `${SECRETS}/tls.crt` },
  stdio: 'inherit',
})
;[process.exitCode] = await once(client, 'exit')
console.log('\nThe events of both workers')
console.table(events)
process.exit() // The workers end with this process.
