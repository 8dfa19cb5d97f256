import { type Expiring, ExpiryQueue } from './expiry.js'

/**
 * How long expired entries are removed at a time, and how many in between two looks at the time. A million entries at
 * once took 350 ms, in which the process answered no request.
 */
const SLICE: Slice = { milliseconds: 0.5, entries: 16 }

/** The size of a slice. */
export interface Slice {
  readonly milliseconds: number
  /** So many are removed in any case. */
  readonly entries: number
}

/**
 * How often expired entries are removed while nobody calls the store. The period is fixed, since the clock can jump: a
 * timer set for the next end would then wait.
 */
const IDLE_SWEEP_MILLISECONDS = 10_000

/** The answer of a verb that cannot decide before more expired entries are removed. */
export const WAIT = Symbol('wait')

/**
 * Removes the expired entries of all tables of a store, in slices. Between two slices the process does other work.
 *
 * Each verb calls `run` once, before it reads. After that, `isOver` tells each expired entry from the others. Counts may
 * still include expired entries, so they are upper bounds. A verb must not refuse by an upper bound: see `decide`.
 */
export class Sweep {
  readonly #now: () => number
  readonly #slice: Slice
  readonly #queues: Pick<ExpiryQueue<never>, 'close' | 'forgetExpired' | 'isEmpty' | 'isBehind'>[] = []
  #timer: NodeJS.Timeout | undefined
  /** Resolves after the next slice. `undefined` if no expired entry is left. */
  #nextSlice: Promise<void> | undefined

  /** @param now the clock, in milliseconds */
  constructor(now: () => number, slice: Slice = SLICE) {
    this.#now = now
    this.#slice = slice
  }

  /** The clock, as a NumericDate. */
  nowSeconds(): number {
    return this.#now() / 1000
  }

  /** A queue for the entries of one more table. */
  queue<E extends Expiring<E>>(table: ConstructorParameters<typeof ExpiryQueue<E>>[0]): ExpiryQueue<E> {
    const queue = new ExpiryQueue<E>(table)
    this.#queues.push(queue)
    return queue
  }

  /** Runs while nobody calls the store, until it is empty. */
  start(): void {
    this.#timer ??= setInterval(() => this.run(), IDLE_SWEEP_MILLISECONDS).unref()
  }

  /** Marks all entries that have expired, and removes a slice of them. The others follow in the next turns. */
  run(): void {
    const seconds = this.nowSeconds()
    let isBehind = false
    for (const queue of this.#queues) {
      queue.close(seconds)
      isBehind ||= queue.isBehind
    }
    if (isBehind && this.#nextSlice === undefined) this.#removeSlice()
  }

  /**
   * Calls a verb, until it does not answer `WAIT`. Before each further call, one more slice is removed.
   *
   * @param verb its last call has the answer. It changes nothing if it answers `WAIT`
   */
  async decide<T>(verb: () => T | typeof WAIT): Promise<T> {
    for (;;) {
      const answer = verb()
      if (answer !== WAIT) return answer
      await this.#nextSlice
    }
  }

  /** A refusal for lack of room. It has to wait as long as expired entries take room. */
  refusal<T>(answer: T): T | typeof WAIT {
    return this.#nextSlice === undefined ? answer : WAIT
  }

  #removeSlice(): void {
    const { milliseconds, entries } = this.#slice
    const end = performance.now() + milliseconds
    const isBehind = () => this.#queues.some((queue) => queue.isBehind)
    do {
      let left = entries
      for (const queue of this.#queues) left -= queue.forgetExpired(left)
    } while (isBehind() && performance.now() < end)
    this.#nextSlice = isBehind() ? this.#scheduleSlice() : undefined
    if (!this.#queues.every((queue) => queue.isEmpty)) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #scheduleSlice(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(() => {
        this.#removeSlice()
        resolve()
      })
    })
  }
}
