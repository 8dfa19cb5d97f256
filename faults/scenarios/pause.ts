import { clock, pause } from '../clock'
import type { Key } from '../driver'
import { BEARER } from '../holder'
import type { Call } from '../model/history'
import { LIMITS } from '../scale'
import { type Scenario, underLoad } from '../scenario'
import type { Act, PlainStage } from '../stage'

const MEBIBYTE = 2 ** 20

/** SIGSTOP: connections stay, answers do not come, and requests go on coming without waiting for each other. */
export const redisPaused: Scenario<PlainStage> = {
  name: 'redis paused',
  title: '`SIGSTOP` of Redis under load, then `SIGCONT`',
  play: (stage) =>
    underLoad(stage, {
      async interfere(act, { keys }, lift) {
        const own = await Promise.all(Array.from({ length: 50 }, () => act.driver.issue(0, BEARER)))
        const targets = [...own.filter((key) => key !== undefined), ...keys.slice(-50)]
        // None of them is to wait for its connection: what is looked for is who waits for Redis.
        const open = (stage.scale.floodPerSecond * (LIMITS.timeoutSeconds + 1)) / stage.crew.size
        for (let worker = 0; worker < stage.crew.size; worker += 1) await act.driver.connect(worker, open)
        const before = await stage.crew.measure()
        stage.redis.signal('SIGSTOP')
        const [sent, after] = await Promise.all([flood(act, stage, targets), measureLate(stage)])
        stage.redis.signal('SIGCONT')
        lift()
        await Promise.all(sent)
        const growths = after.map(({ heap }, i) => heap - (before[i]?.heap ?? 0))
        const most = Math.max(...growths)
        const inFlight = Math.max(...after.map((one) => one.inFlight))
        const notes = [
          `${stage.scale.floodPerSecond} requests a second: ${inFlight} open at most in a worker, heap ${(most / MEBIBYTE).toFixed(1)} MiB more`,
        ]
        return { notes, faults: most <= LIMITS.heapGrowth ? [] : [`a worker grew by ${most} bytes`] }
      },
    }),
}

/** Requests at a rate, whatever becomes of those before: answers when the last has gone out. */
async function flood({ driver }: Act, { random, scale }: PlainStage, keys: readonly Key[]) {
  const start = clock()
  const calls: Promise<Call>[] = []
  const all = scale.floodPerSecond * scale.faultSeconds
  while (calls.length < all) {
    const due = Math.min(all, ((clock() - start) / 1000) * scale.floodPerSecond)
    while (calls.length < due) {
      const key = keys[calls.length % keys.length] as Key
      const at = random.below(scale.workers)
      calls.push(random.chance(0.5) ? driver.redeem(key, at) : driver.introspect(key, at))
    }
    await pause(5)
  }
  return calls
}

/** When most of the flood has come, and none of it has been answered by Redis. */
async function measureLate({ crew, scale }: PlainStage) {
  await pause(scale.faultSeconds * 900)
  return crew.measure()
}
