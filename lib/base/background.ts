import { deadline } from './deadline.js'

/** Runs work that no request waits for. */
export interface Background {
  /** Begins soon. The errors of the work are dropped. */
  run(work: () => unknown): void
  /** Begins after some time, unless the process ends before: the timer does not keep it alive. */
  schedule(work: () => unknown, milliseconds: number): void
}

/** Work can cause other work: a revocation causes an event, an event a finding, and a finding a second write. */
const ROUNDS = 3

const LONGEST_MILLISECONDS = 10_000

/** The work of one instance that no request waits for. */
export class BackgroundWork implements Background {
  readonly #running = new Set<Promise<unknown>>()
  readonly #scheduled = new Map<NodeJS.Timeout, () => unknown>()
  readonly #inTime = deadline({ milliseconds: LONGEST_MILLISECONDS, who: 'The work in the background' })

  run(work: () => unknown): void {
    const running: Promise<unknown> = Promise.resolve()
      .then(work)
      .catch(() => undefined)
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  schedule(work: () => unknown, milliseconds: number): void {
    const timer = setTimeout(() => this.#begin(timer, work), milliseconds).unref()
    this.#scheduled.set(timer, work)
  }

  /**
   * Begins all scheduled work now, and resolves when it has ended, or after ten seconds. Never rejects.
   *
   * @param settle waits for what the work has caused elsewhere
   */
  async finish(settle: () => Promise<unknown> = async () => undefined): Promise<void> {
    await this.#inTime(async () => {
      for (let round = 1; round <= ROUNDS; round += 1) {
        for (const [timer, work] of this.#scheduled) this.#begin(timer, work)
        await Promise.all(this.#running)
        await settle()
      }
    }).catch(() => undefined)
  }

  #begin(timer: NodeJS.Timeout, work: () => unknown): void {
    clearTimeout(timer)
    this.#scheduled.delete(timer)
    this.run(work)
  }
}
