import { clock, pause } from '../clock'
import type { Session, SingleRedisDeployment } from '../deployment'
import type { Key } from '../driver'
import { BEARER } from '../key-owner'
import type { Call } from '../model/history'
import { LIMITS } from '../scale'
import { type Scenario, underLoad } from '../scenario'
import type { Measurement } from '../worker'

const MEBIBYTE = 2 ** 20

/** Redis keeps its connections but does not answer, while requests continue to arrive. */
export const redisPaused: Scenario<SingleRedisDeployment> = {
  name: 'redis paused',
  title: 'Redis is paused under load',
  run: (deployment) =>
    underLoad(deployment, {
      async inject(session, { keys }, onEnd) {
        const { redis, pool, scale } = deployment
        const issued = await Promise.all(Array.from({ length: 50 }, () => session.driver.issue(0, BEARER)))
        const targets = [...issued.filter((key) => key !== undefined), ...keys.slice(-50)]
        // Open the connections first, so that requests wait for Redis only.
        const connections = (scale.floodPerSecond * (LIMITS.timeoutSeconds + 1)) / pool.size
        for (let worker = 0; worker < pool.size; worker += 1)
          await session.driver.connect(worker, connections)
        const before = await pool.measure()
        redis.signal('SIGSTOP')
        const [sent, after] = await Promise.all([
          flood(session, deployment, targets),
          measureLate(deployment),
        ])
        redis.signal('SIGCONT')
        onEnd()
        await Promise.all(sent)
        return findings(scale.floodPerSecond, before, after)
      },
    }),
}

/** Sends requests at a constant rate, without waiting for answers. Resolves after the last one was sent. */
async function flood({ driver }: Session, { random, scale }: SingleRedisDeployment, keys: readonly Key[]) {
  const start = clock()
  const calls: Promise<Call>[] = []
  const total = scale.floodPerSecond * scale.faultSeconds
  while (calls.length < total) {
    const due = Math.min(total, ((clock() - start) / 1000) * scale.floodPerSecond)
    while (calls.length < due) {
      const key = keys[calls.length % keys.length] as Key
      const worker = random.below(scale.workers)
      calls.push(random.chance(0.5) ? driver.redeem(key, worker) : driver.introspect(key, worker))
    }
    await pause(5)
  }
  return calls
}

/** Measures when most requests have arrived and Redis is still paused. */
async function measureLate({ pool, scale }: SingleRedisDeployment) {
  await pause(scale.faultSeconds * 900)
  return pool.measure()
}

function findings(rate: number, before: readonly Measurement[], after: readonly Measurement[]) {
  const growth = Math.max(...after.map(({ heap }, i) => heap - (before[i]?.heap ?? 0)))
  const inFlight = Math.max(...after.map((measurement) => measurement.inFlight))
  const mebibytes = (growth / MEBIBYTE).toFixed(1)
  return {
    notes: [
      `Clients sent ${rate} requests a second. A server process had at most ${inFlight} unanswered requests, and its heap grew by at most ${mebibytes} MiB`,
    ],
    failures: growth <= LIMITS.heapGrowth ? [] : [`the heap of a worker grew by ${growth} bytes`],
  }
}
