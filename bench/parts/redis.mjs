import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { alternate, line, ratios } from '../measure.mjs'
import { inFlight, keyOf, LIMITS, redeem, storeOn } from '../redis-load.mjs'
import { startRedis } from '../redis-server.mjs'

const ROUNDS = 31
/** All rounds take about as long, so that the other load of the machine affects them alike. */
const [FEW, MORE, MANY] = [1_000, 2_000, 4_000]
/** Does nothing, with the keys and arguments of a reservation. */
const EMPTY_SCRIPT = "return 'reserved'"
const JKT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'
/** As an exchange names its owner. */
const LEASE = { ownerId: JKT, leaseSeconds: 30 }

/**
 * Compares the store in Redis with bare commands of the same client: `find` of each guard, and what a redemption adds.
 * On two cores, Redis has one, and this process the other. More processes than cores can only share them.
 */
export async function run() {
  const server = await startRedis()
  try {
    const load = loadOn(server)
    return [
      ...(await throughput(load)),
      ...(await costsInRedis(load)),
      ...(await outcomes(load)),
      ...(await processes(server)),
    ]
  } finally {
    server.stop()
  }
}

function loadOn(server) {
  const store = storeOn(server.redis)
  let next = 0
  return {
    ...server,
    store,
    newKeys: (count) => Array.from({ length: count }, () => keyOf(next++)),
    record: (key) => store.record(key, LIMITS),
  }
}

async function throughput({ redis, store, newKeys, record }) {
  const sha = await redis.call('SCRIPT', 'LOAD', EMPTY_SCRIPT)
  const known = newKeys(MORE)
  await inFlight(known, record)
  const set = ({ jti }) => redis.call('SET', `used:${jti}`, '1', 'NX', 'PX', '305000')
  const empty = ({ clientId, jti }) =>
    redis.call('EVALSHA', sha, '2', `{a}:${clientId}:${jti}`, '{a}', clientId, jti, jti, jti)
  const costs = await alternate(
    { rounds: ROUNDS },
    {
      set: () => inFlight(newKeys(MANY), set),
      get: () => inFlight([...known, ...known], ({ jti }) => redis.call('GET', `used:${jti}`)),
      scripts: () => inFlight(newKeys(MORE), (key) => empty(key).then(() => empty(key))),
      find: () => inFlight(known, (key) => store.find(key)),
      async redeem() {
        const keys = newKeys(FEW)
        await inFlight(keys, record)
        return inFlight(keys, (key) => redeem(store, key))
      },
      record: () => inFlight(newKeys(FEW), record),
      useOnce: () => inFlight(newKeys(FEW), (key) => store.useOnce(`proof-${key.jti}`, key.expiresAt, key)),
    },
  )
  const ofSet = (name, cost, bound) => line(`${name} / SET NX PX`, 'x', ratios(costs.set, cost), bound)
  return [
    ofSet('redeem a key', costs.redeem, { least: 0.25 }),
    ofSet('look up a key', costs.find, { least: 0.55 }),
    line('look up a key / GET', 'x', ratios(costs.get, costs.find)),
    ofSet('two empty scripts', costs.scripts),
    ofSet('issue a key', costs.record),
    ofSet('mark a proof as used', costs.useOnce),
    line('redeem a key', 'us', costs.redeem),
    line('look up a key', 'us', costs.find),
  ]
}

/** The time that scripts take in Redis, and the memory that they leave. */
async function costsInRedis(load) {
  const { redis, store, newKeys, record } = load
  // Few keys would not show the memory of the tables.
  const [keys, bound] = [newKeys(10_000), newKeys(10_000)]
  await redis.flushall()
  const issued = await scriptCost(load, keys, record)
  const found = await scriptCost(load, keys, (key) => store.find(key))
  const redeemed = await scriptCost(load, keys, (key) => redeem(store, key))
  const proofs = await scriptCost(load, keys, (key) => store.useOnce(`a-${key.jti}`, key.expiresAt, key))
  await inFlight(bound, (key) => record({ ...key, confirmation: { jkt: JKT } }))
  const resumable = await scriptCost(load, bound, (key) => redeem(store, key, { lease: LEASE }))
  return [
    line('commands to look up and redeem a key', '', [found.commands + redeemed.commands]),
    line('issue a key, time in Redis', 'us', [issued.microseconds]),
    line('look up a key, time in Redis', 'us', [found.microseconds]),
    line('redeem a key, time in Redis', 'us', [redeemed.microseconds]),
    line('mark a proof as used, time in Redis', 'us', [proofs.microseconds]),
    line('memory of an issued key', 'bytes', [issued.bytes]),
    line('more memory after the redemption', 'bytes', [redeemed.bytes]),
    line('more memory after the redemption of a bound key', 'bytes', [resumable.bytes]),
    line('memory of a used proof', 'bytes', [proofs.bytes]),
  ]
}

async function outcomes(load) {
  const { store, newKeys, record } = load
  const lines = []
  for (const characters of [1_000, 10_000, 87_000]) {
    const keys = newKeys(FEW)
    const outcome = 'x'.repeat(characters)
    await inFlight(keys, (key) => record({ ...key, confirmation: { jkt: JKT } }))
    const kept = await scriptCost(load, keys, (key) =>
      redeem(store, key, { lease: LEASE, settlement: { outcome } }),
    )
    const recalled = await scriptCost(load, keys, async (key) => {
      const recollection = await store.recall(key, LEASE.ownerId)
      if (recollection?.outcome !== outcome) throw new Error('the outcome is missing')
    })
    const answer = `an answer of ${characters} characters`
    lines.push(
      line(`memory of ${answer}`, 'bytes', [kept.bytes]),
      line(`redeem a key and store ${answer}, time in Redis`, 'us', [kept.microseconds]),
      line(`read ${answer}, time in Redis`, 'us', [recalled.microseconds]),
    )
  }
  return lines
}

/** The cost of a call for each item: commands, microseconds in Redis, and bytes. */
async function scriptCost({ redis, usedMemory }, items, act) {
  await redis.call('CONFIG', 'RESETSTAT')
  const before = await usedMemory()
  await inFlight(items, act)
  const bytes = ((await usedMemory()) - before) / items.length
  const statistics = /cmdstat_evalsha:calls=(\d+),usec=(\d+)/.exec(await redis.info('commandstats'))
  const [calls, microseconds] = (statistics?.slice(1) ?? []).map(Number)
  return { commands: calls / items.length, microseconds: microseconds / items.length, bytes }
}

/** How many keys a second several processes issue, look at and redeem together. All share the cores with Redis. */
async function processes({ port, redis }) {
  const load = fileURLToPath(new URL('../redis-load.mjs', import.meta.url))
  const children = await Promise.all(
    [1, 2, 3, 4].map(async (source) => {
      const child = fork(load)
      const ready = once(child, 'message')
      child.send({ port, source })
      await ready
      return child
    }),
  )
  const usage = {}
  const lives = (count) => async () => {
    const [before, start] = [await mainThreadSeconds(redis), performance.now()]
    const counts = await Promise.all(
      children.slice(0, count).map(async (child) => {
        const done = once(child, 'message')
        child.send('run')
        return (await done)[0]
      }),
    )
    const seconds = (performance.now() - start) / 1_000
    usage[count] = [...(usage[count] ?? []), ((await mainThreadSeconds(redis)) - before) / seconds]
    return counts.reduce((sum, each) => sum + each) / seconds
  }
  try {
    const rates = await alternate({ rounds: 5 }, { one: lives(1), two: lives(2), four: lives(4) })
    return [
      line('keys that 1 process issues and redeems', '/s', rates.one),
      line('keys that 2 processes issue and redeem', '/s', rates.two),
      line('keys that 4 processes issue and redeem', '/s', rates.four),
      line('keys of 4 processes / of 1 process', 'x', ratios(rates.four, rates.one)),
      line('cores that Redis uses for 1 process', '', usage[1]),
      line('cores that Redis uses for 4 processes', '', usage[4]),
    ]
  } finally {
    for (const child of children) child.kill()
  }
}

async function mainThreadSeconds(redis) {
  const text = await redis.info('cpu')
  const seconds = (name) => Number(new RegExp(`^used_cpu_${name}_main_thread:([\\d.]+)`, 'm').exec(text)?.[1])
  return seconds('user') + seconds('sys')
}
