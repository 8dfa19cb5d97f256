import type { KeyCounts, ProvisioningStore } from '../ports/store.js'
import { Ring } from './event-log.js'

/** How many keys there were at some times: each list has one entry for each time. */
export interface KeyHistory extends Readonly<Record<keyof KeyCounts, readonly number[]>> {
  /** NumericDates, the earliest first. */
  readonly at: readonly number[]
}

const STATES = [
  'issued',
  'redeeming',
  'redeemed',
  'revoked',
  'expired',
] as const satisfies readonly (keyof KeyCounts)[]

/** A count serves all requests for so long. */
const FRESH_MILLISECONDS = 3_000

/** How often the keys are counted while nobody asks, for the history: an hour has 240 counts. */
const INTERVAL_MILLISECONDS = 15_000
const HISTORY = 240

/** To count many keys takes the store long. It then has this many times as long for other work. */
const SHARE = 50

interface Count {
  readonly at: number
  readonly counts: KeyCounts
}

/** Counts the keys of the store, and remembers the counts. */
export class KeyCounter {
  readonly #store: Pick<ProvisioningStore, 'countKeys'>
  readonly #now: () => number
  readonly #history = new Ring<Count>(HISTORY)
  #latest: { readonly since: number; readonly count: Promise<KeyCounts> } | undefined

  constructor(store: Pick<ProvisioningStore, 'countKeys'>, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /** Counts the keys, if the last count is older than 3 seconds. */
  count(): Promise<KeyCounts> {
    const since = performance.now()
    if (this.#latest === undefined || since - this.#latest.since >= FRESH_MILLISECONDS)
      this.#latest = { since, count: this.#countNow() }
    return this.#latest.count
  }

  get history(): KeyHistory {
    const all = [...this.#history]
    const lists = STATES.map((state) => [state, all.map(({ counts }) => counts[state])])
    return { at: all.map(({ at }) => at), ...Object.fromEntries(lists) }
  }

  /** Counts again and again, as long as the process has other work. */
  start(): void {
    const countOnce = async () => {
      const before = performance.now()
      // A store that does not answer leaves a gap in the history.
      await this.count().catch(() => undefined)
      const pause = Math.max(INTERVAL_MILLISECONDS, SHARE * (performance.now() - before))
      setTimeout(countOnce, pause).unref()
    }
    void countOnce()
  }

  async #countNow(): Promise<KeyCounts> {
    const counts = await this.#store.countKeys()
    this.#history.add({ at: this.#now() / 1000, counts })
    return counts
  }
}
