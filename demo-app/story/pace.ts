import { setTimeout as sleep } from 'node:timers/promises'

/** How long the story waits, so that a reader can follow. */
export interface Pace {
  /** After each request and each note. */
  readonly beatMilliseconds: number
  /** After each scene, before the next one. */
  readonly sceneMilliseconds: number
}

/** One scene: readers see the requests one after another. */
export const QUICK: Pace = { beatMilliseconds: 60, sceneMilliseconds: 0 }

/** All scenes: readers have time to read each card, and then how the scene ended. */
export const SLOW: Pace = { beatMilliseconds: 1_200, sceneMilliseconds: 5_000 }

/** The pauses of one run. To stop the run ends its pause, and makes the others quick. */
export class Pauses {
  readonly #pace: Pace
  readonly #stopping = new AbortController()

  constructor(pace: Pace) {
    this.#pace = pace
  }

  get isStopped(): boolean {
    return this.#stopping.signal.aborted
  }

  stop(): void {
    this.#stopping.abort()
  }

  async afterBeat(): Promise<void> {
    if (this.isStopped) await sleep(QUICK.beatMilliseconds)
    else await this.#wait(this.#pace.beatMilliseconds)
  }

  async afterScene(): Promise<void> {
    if (!this.isStopped) await this.#wait(this.#pace.sceneMilliseconds)
  }

  #wait(milliseconds: number): Promise<void> {
    return sleep(milliseconds, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
  }
}
