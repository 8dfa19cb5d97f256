import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import { deadline, type InTime } from '../base/deadline.js'
import { KEY_COUNTS } from '../ports/listing.js'
import type { KeyCounts, ProvisioningStore } from '../ports/store.js'
import { Ring } from './event-log.js'

/** How many keys there were at some times: each list has one entry for each time. */
export interface KeyHistory extends Readonly<Record<keyof KeyCounts, readonly number[]>> {
  /** NumericDates, the earliest first. */
  readonly at: readonly number[]
}

/** A count serves all requests for so long. */
const FRESH_MILLISECONDS = 3_000

/** A request waits so long for a new count, if there is an earlier one. */
const LONGEST_WAIT_MILLISECONDS = 200

/** How often the keys are counted while nobody asks, for the history: an hour has 240 counts. */
const INTERVAL_MILLISECONDS = 15_000
const HISTORY = 240
const SHORTEST_INTERVAL_SECONDS = 10

/** After this time, a count has failed. Otherwise one call that never ends would be the last one. */
const LONGEST_COUNT_MILLISECONDS = 30_000

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
  readonly #inTime: InTime
  readonly #history = new Ring<Count>(HISTORY)
  #counts: KeyCounts | undefined
  #latest: { freshUntil: number; readonly count: Promise<KeyCounts> } | undefined

  constructor(
    store: Pick<ProvisioningStore, 'countKeys'>,
    now: () => number,
    { longestMilliseconds = LONGEST_COUNT_MILLISECONDS } = {},
  ) {
    this.#store = store
    this.#now = now
    this.#inTime = deadline({ milliseconds: longestMilliseconds, who: 'The store' })
  }

  /**
   * The keys as counted last, at most 3 seconds ago. If the store takes long to count its many keys, an earlier count is
   * better than no answer.
   */
  async count(): Promise<KeyCounts> {
    const counting = this.#refresh()
    const earlier = this.#counts
    if (earlier === undefined) return counting
    counting.catch(() => undefined)
    return Promise.race([counting, setTimeoutPromise(LONGEST_WAIT_MILLISECONDS, earlier, { ref: false })])
  }

  get history(): KeyHistory {
    const all = [...this.#history]
    const lists = KEY_COUNTS.map((state) => [state, all.map(({ counts }) => counts[state])])
    return { at: all.map(({ at }) => at), ...Object.fromEntries(lists) }
  }

  #refresh(): Promise<KeyCounts> {
    const now = performance.now()
    if (this.#latest === undefined || now >= this.#latest.freshUntil) {
      this.#latest = { freshUntil: Number.POSITIVE_INFINITY, count: this.#countNow(now) }
    }
    return this.#latest.count
  }

  /** Counts again and again, as long as the process has other work. */
  start(): void {
    const countOnce = async () => {
      // A store that does not answer leaves a gap in the history.
      await this.#refresh().catch(() => undefined)
      setTimeout(countOnce, INTERVAL_MILLISECONDS).unref()
    }
    void countOnce()
  }

  async #countNow(before: number): Promise<KeyCounts> {
    // A failure says nothing about the work of the store, so the next count may come soon.
    let share = 0
    try {
      const counts = await this.#inTime(() => this.#store.countKeys())
      share = SHARE
      this.#counts = counts
      this.#remember({ at: this.#now() / 1000, counts })
      return counts
    } finally {
      const after = performance.now()
      if (this.#latest !== undefined)
        this.#latest.freshUntil = after + Math.max(FRESH_MILLISECONDS, share * (after - before))
    }
  }

  /** Counts for an operator come more often than the history needs. */
  #remember(count: Count): void {
    const last = [...this.#history].at(-1)
    if (last !== undefined && Math.abs(count.at - last.at) < SHORTEST_INTERVAL_SECONDS) return
    this.#history.add(count)
  }
}
