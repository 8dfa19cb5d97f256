import cluster from 'node:cluster'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import express from 'express'
import { getProvisioning, provisioningKeys } from 'express-provisioning-keys'
import { redisStore } from 'express-provisioning-keys/redis'
import { RedisStore as RedisLimits } from 'rate-limit-redis'
import { createClient } from 'redis'

const { ORIGIN, REDIS_URL, SECRETS, RUN } = process.env
const read = (name) => readFileSync(`${SECRETS}/${name}`, 'utf8')

const redis = createClient({ url: REDIS_URL, disableOfflineQueue: true })
redis.on('error', ({ message }) => console.error(message))
await redis.connect()

const keys = provisioningKeys({
  issuer: ORIGIN,
  audience: ORIGIN,
  signingKeys: read('signing-key.pem'),
  clients: [{ clientId: 'fleet', secretHash: read('fleet.hash'), policy: { scopes: ['devices:create'] } }],
  store: redisStore({ sendCommand: (command) => redis.sendCommand(command) }),
  rateLimit: {
    token: { windowMs: 60_000, limit: 10 },
    store: (name) =>
      new RedisLimits({
        prefix: `epk:limit:${RUN}:${name}:`, // without RUN in your app: here each run begins at 0
        sendCommand: (...command) => redis.sendCommand(command),
      }),
  },
  observer: ({ type }) => process.send({ type }), // the primary counts them
})

const app = express()
app.get('/ready', keys.readiness())
app.use((_req, res, next) => {
  res.set('X-Worker', cluster.worker.id)
  next()
})
app.use(keys.router())
app.post('/devices', keys.redeemProvisioningKey({ scope: 'devices:create' }), (req, res) => {
  res.status(201).json({ owner: getProvisioning(req).subject })
})
app.use(keys.errorHandler())

createServer({ key: read('tls.key'), cert: read('tls.crt') }, app).listen(new URL(ORIGIN).port)
