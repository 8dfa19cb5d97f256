import { deadline } from '../../base/deadline.js'
import type { KeyvLike } from './keyv-options.js'

/** A call that changes the database. */
export interface Change<T> {
  /** Rejects if the database fails, or does not answer in time. */
  readonly answer: Promise<T>
  /** Resolves when the call has ended, also if that is after the time limit. Never rejects. */
  readonly ended: Promise<unknown>
}

/** A database behind a Keyv. If the database fails, each call rejects. */
export interface KeyvConnection {
  get(key: string): Promise<unknown>
  set(key: string, value: string): Change<true>
  /** Answers whether there was something to delete. */
  delete(key: string): Change<boolean>
}

/**
 * Depending on its version and its adapter, Keyv answers `undefined` to a `get` that failed, and `true` or `false` to a
 * `set` that failed. Only an event reports the failure, and does not name the call. So each call that runs at the time
 * of an event has failed, unless its answer can only come from a database that works.
 */
export function keyvConnection(keyv: KeyvLike, timeoutSeconds: number): KeyvConnection {
  const inTime = deadline({ milliseconds: timeoutSeconds * 1000, who: 'The database of clients' })
  let failures = 0
  let last: unknown
  keyv.on('error', (error) => {
    failures += 1
    last = error
  })

  function ask<T>(call: () => Promise<T>, provesSuccess = (_answer: T) => false): Change<T> {
    const before = failures
    const running = (async () => {
      const answer = await call()
      if (failures !== before && !provesSuccess(answer))
        throw new Error('The database of clients reported an error.', { cause: last })
      return answer
    })()
    return {
      answer: inTime(() => running),
      ended: running.then(
        () => undefined,
        () => undefined,
      ),
    }
  }

  return {
    get: (key) => ask(() => keyv.get(key), isPresent).answer,
    set: (key, value) =>
      ask(async () => {
        // 0: never expires, even if the Keyv has a `ttl`.
        const answer = await keyv.set(key, value, 0)
        if (answer === false) throw new Error('The database of clients did not save a client.')
        return true as const
      }),
    delete: (key) => ask(async () => (await keyv.delete(key)) !== false),
  }
}

function isPresent(answer: unknown): boolean {
  return answer !== undefined && answer !== null
}
