import { pause } from './clock'
import type { Driver, Key } from './driver'
import { BEARER, type Holder } from './holder'
import { type Call, isUncertain } from './model/history'
import type { Random } from './random'

export interface LoadOptions {
  readonly driver: Driver
  readonly random: Random
  readonly workers: number
  /** How many keys are at work at once. */
  readonly lanes: number
  /** One of them is the holder of every third key. */
  readonly holders: readonly Holder[]
}

/** Load that goes on until it is stopped. */
export interface Load {
  readonly keys: readonly Key[]
  /** Resolves when no call is unanswered any more. */
  stop(): Promise<void>
}

/** Within how many milliseconds all that is done to one key begins. */
const SPREAD = 60
/** What a client waits for when it was told 503, or nothing: less than `Retry-After`, to be the harder. */
const BACK_OFF = 100

/** Issues keys, and does to each at random, from all processes at once, what can be done to a key. */
export function startLoad(options: LoadOptions): Load {
  const { lanes } = options
  const keys: Key[] = []
  let isStopping = false
  const work = async () => {
    while (!isStopping) {
      const key = await issueOne(options)
      if (key === undefined) await pause(BACK_OFF)
      else keys.push(key)
      if (key !== undefined) await Promise.all(deeds(options, key))
    }
  }
  const working = Array.from({ length: lanes }, work)
  return {
    keys,
    async stop() {
      isStopping = true
      await Promise.all(working)
    },
  }
}

function issueOne({ driver, random, workers, holders }: LoadOptions): Promise<Key | undefined> {
  const holder = random.chance(1 / 3) ? holders[random.below(holders.length)] : undefined
  return driver.issue(random.below(workers), holder ?? BEARER)
}

/** One key in five is left alone: it must be good in the end. */
function deeds({ driver, random, workers }: LoadOptions, key: Key): Promise<Call>[] {
  if (random.chance(0.2)) return []
  const at = () => random.below(workers)
  const redeem = () => {
    const work = { workMilliseconds: random.below(30), fails: random.chance(0.2) }
    return random.chance(0.3) ? driver.exchange(key, at()) : driver.redeem(key, at(), work)
  }
  const some: (() => Promise<Call>)[] = Array.from({ length: random.below(5) }, () => redeem)
  if (random.chance(0.3)) some.push(() => driver.revoke(key, at()))
  if (random.chance(0.4)) some.push(() => driver.introspect(key, at()))
  return some.map(async (act) => {
    await pause(random.below(SPREAD))
    const call = await act()
    if (isUncertain(call)) await pause(BACK_OFF)
    return call
  })
}

/** Tries to redeem every key once more, at any worker: what is good must be, and what is not must not. */
export async function audit(
  { driver, random, workers, lanes }: LoadOptions,
  keys: readonly Key[],
): Promise<void> {
  const left = [...keys]
  const work = async () => {
    for (let key = left.pop(); key !== undefined; key = left.pop()) {
      for (let tries = 0; tries < 20; tries += 1) {
        if (!isUncertain(await driver.redeem(key, random.below(workers)))) break
        await pause(BACK_OFF * 2)
      }
    }
  }
  await Promise.all(Array.from({ length: lanes }, work))
}
