// The app that bench/capacity.mjs measures, in its own process.
import { createServer } from 'node:https'
import express from 'express'
import { provisioningKeys } from 'express-provisioning-keys'
import { redisStore } from 'express-provisioning-keys/redis'
import { Redis } from 'ioredis'
import { RedisStore as RedisLimits } from 'rate-limit-redis'

export const ISSUER = 'https://auth.example.com'
export const SECRET = 'correct-horse-battery-staple'
export const CLIENTS = 1000

if (process.send !== undefined) process.once('message', serve)

async function serve({ port, certificate, signingKey, isLimited }) {
  const redis = new Redis(port)
  const sendCommand = ([name, ...args]) => redis.call(name, ...args)
  const scopes = ['provision:token', 'devices:read']
  const limits = (name) =>
    new RedisLimits({ prefix: `limit:${name}:`, sendCommand: (...command) => sendCommand(command) })
  const keys = provisioningKeys({
    issuer: ISSUER,
    audience: 'https://api.example.com',
    signingKeys: signingKey,
    policy: { scopes, defaultScopes: scopes, outstandingKeys: 1_000_000 },
    clients: Array.from({ length: CLIENTS }, (_, i) => ({ clientId: `device-${i}`, clientSecret: SECRET })),
    store: redisStore({ sendCommand }),
    rateLimit: isLimited && { token: { limit: 1_000_000_000 }, store: limits },
  })
  const server = createServer(certificate, express().use(keys.router()))
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
  process.on('message', () => process.send(process.cpuUsage()))
}
