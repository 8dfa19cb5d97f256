import { pause } from './clock'
import type { Driver, Key } from './driver'
import { BEARER, type KeyOwner } from './key-owner'
import { type Call, isUncertain } from './model/history'
import type { Random } from './random'

export interface LoadOptions {
  readonly driver: Driver
  /** Decides everything that is random, so that a run with the same seed makes the same choices. */
  readonly random: Random
  /** The number of workers, the processes that answer. */
  readonly workers: number
  /** The number of keys in use at the same time. */
  readonly concurrency: number
  /** The owners of the bound keys. About a third of all keys is bound. */
  readonly owners: readonly KeyOwner[]
}

/** Load that continues until it is stopped. */
export interface Load {
  /** The keys that were issued so far. */
  readonly keys: readonly Key[]
  /** Resolves when all calls have ended. */
  stop(): Promise<void>
}

/** All calls of one key start within this time. */
const SPREAD_MILLISECONDS = 60
/** The pause of a client after a 503 or no answer. It is shorter than `Retry-After`, to make the test harder. */
const BACK_OFF_MILLISECONDS = 100
/** The audit must outlast the recovery of Redis after a fault. */
const MAX_AUDIT_TRIES = 20

/** Issues keys, and makes random calls for each of them at all workers. */
export function startLoad(options: LoadOptions): Load {
  const keys: Key[] = []
  let isStopping = false
  const issueAndCallUntilStopped = async () => {
    while (!isStopping) {
      const key = await issueOne(options)
      if (key === undefined) await pause(BACK_OFF_MILLISECONDS)
      else {
        keys.push(key)
        await Promise.all(randomCalls(options, key))
      }
    }
  }
  const running = Array.from({ length: options.concurrency }, issueAndCallUntilStopped)
  return {
    keys,
    async stop() {
      isStopping = true
      await Promise.all(running)
    },
  }
}

function issueOne({ driver, random, workers, owners }: LoadOptions): Promise<Key | undefined> {
  const owner = random.chance(1 / 3) ? owners[random.below(owners.length)] : undefined
  return driver.issue(random.below(workers), owner ?? BEARER)
}

/** Starts some calls for a key. A fifth of the keys gets no call, and must still be valid at the audit. */
function randomCalls({ driver, random, workers }: LoadOptions, key: Key): Promise<Call>[] {
  if (random.chance(0.2)) return []
  const worker = () => random.below(workers)
  const redeem = () => {
    const work = { workMilliseconds: random.below(30), fails: random.chance(0.2) }
    return random.chance(0.3) ? driver.exchange(key, worker()) : driver.redeem(key, worker(), work)
  }
  const calls: (() => Promise<Call>)[] = Array.from({ length: random.below(5) }, () => redeem)
  if (random.chance(0.3)) calls.push(() => driver.revoke(key, worker()))
  if (random.chance(0.4)) calls.push(() => driver.introspect(key, worker()))
  return calls.map(async (start) => {
    await pause(random.below(SPREAD_MILLISECONDS))
    const call = await start()
    if (isUncertain(call)) await pause(BACK_OFF_MILLISECONDS)
    return call
  })
}

/** Tries to redeem every key once more. The checker then expects a success for each key that is still valid. */
export async function audit(
  { driver, random, workers, concurrency }: LoadOptions,
  keys: readonly Key[],
): Promise<void> {
  const remaining = [...keys]
  const redeemRemaining = async () => {
    for (let key = remaining.pop(); key !== undefined; key = remaining.pop()) {
      for (let tries = 0; tries < MAX_AUDIT_TRIES; tries += 1) {
        if (!isUncertain(await driver.redeem(key, random.below(workers)))) break
        await pause(BACK_OFF_MILLISECONDS * 2)
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, redeemRemaining))
}
