/** What the administration costs: for a guard while an operator watches, and for a first view of many keys. */
import { once } from 'node:events'
import { memoryStore } from 'express-provisioning-keys'
import { redisStore } from 'express-provisioning-keys/redis'
import { deploy } from '../deployment.mjs'
import { alternate, line, ratios } from '../measure.mjs'
import { startRedis } from '../redis-server.mjs'
import { bearer, guardRounds } from './guard.mjs'

const ROUNDS = { rounds: 41, warmUp: 80 }
const COUNT = 200
const KEYS = 100_000

/** What the page asks for when it opens. */
const FIRST_VIEW = ['overview', 'findings', 'keys?state=issued', 'locks', 'clients'].map(
  (path) => `/admin/api/${path}`,
)

export async function run() {
  const redis = await startRedis()
  try {
    return [
      ...(await watchedGuard()),
      await firstView('memory', memoryStore({ maxKeys: 2 * KEYS })),
      await firstView(
        'Redis',
        redisStore({ sendCommand: ([command, ...args]) => redis.redis.call(command, ...args) }),
      ),
    ]
  } finally {
    redis.stop()
  }
}

const mount = (app, keys) => app.use('/admin', keys.administration({ authorize: () => 'view', page: true }))

/** The guard of a route, with and without an operator who watches all events. */
async function watchedGuard() {
  const plain = await deploy()
  const watched = await deploy({}, mount)
  const stream = await watched.get('/admin/api/events')
  stream.resume()
  const rounds = async (deployment) => {
    const token = await deployment.issue()
    const tokens = Array.from({ length: (ROUNDS.rounds + ROUNDS.warmUp) * COUNT }, () => token)
    return guardRounds(
      deployment,
      deployment.keys.requireProvisioningKey({ scope: 'read' }),
      tokens,
      bearer,
      COUNT,
    )
  }
  const costs = await alternate(ROUNDS, { watched: await rounds(watched), plain: await rounds(plain) })
  stream.destroy()
  await once(stream, 'close')
  for (const deployment of [plain, watched]) deployment.close()
  return [
    line('guard, while an operator watches / while nobody watches', 'x', ratios(costs.watched, costs.plain), {
      most: 1.05,
    }),
  ]
}

/** The time until the answers for the first view of the page are there, if the store has many keys. */
async function firstView(name, store) {
  await fill(store)
  const deployment = await deploy({ store }, mount)
  const times = []
  for (let round = 0; round < 5; round += 1) {
    const before = performance.now()
    await Promise.all(FIRST_VIEW.map(async (path) => (await deployment.get(path)).toArray()))
    times.push(performance.now() - before)
    // The count of the keys is kept for three seconds.
    await new Promise((resolve) => setTimeout(resolve, 3_100))
  }
  deployment.close()
  return line(`first view of 100,000 keys in ${name}`, 'ms', times, { most: 1_000 })
}

async function fill(store) {
  const issuedAt = Math.floor(Date.now() / 1_000)
  const times = { issuedAt, expiresAt: issuedAt + 900, retainUntil: issuedAt + 960 }
  for (let first = 0; first < KEYS; first += 1_000) {
    const ids = Array.from({ length: 1_000 }, (_, i) => first + i)
    await Promise.all(
      ids.map((i) => {
        const clientId = `client-${i % 1_000}`
        const key = {
          clientId,
          jti: `key-${i}`,
          subject: clientId,
          scope: ['read'],
          audience: 'https://api.example.com',
        }
        return store.record({ ...key, ...times }, { outstanding: 1_000_000 })
      }),
    )
  }
}
