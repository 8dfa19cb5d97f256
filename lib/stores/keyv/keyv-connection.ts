import { deadline } from '../../base/deadline.js'
import type { KeyvLike } from './keyv-options.js'

/** A call that changes the database: its answer, in time, and when it has really ended. */
export interface Change<T> {
  readonly answer: Promise<T>
  /** Never rejects. Later than the answer, where nobody waits for that any more. */
  readonly ended: Promise<unknown>
}

/** A database behind a Keyv: what it answers is its own answer, and everything else rejects. */
export interface KeyvConnection {
  get(key: string): Promise<unknown>
  set(key: string, value: string): Change<true>
  /** Answers whether there was anything to delete. */
  delete(key: string): Change<boolean>
}

/**
 * Keyv, depending on its version and on its adapter, answers a `get` that failed with `undefined` and a `set` that
 * failed with `true` or `false`, and tells of the failure by an event. That does not say which call it is about: one
 * that comes while a call runs counts against it, unless what it answers can only come from a database that works.
 */
export function keyvConnection(keyv: KeyvLike, timeoutSeconds: number): KeyvConnection {
  const inTime = deadline({ milliseconds: timeoutSeconds * 1000, who: 'The database of clients' })
  let failures = 0
  let last: unknown
  keyv.on('error', (error) => {
    failures += 1
    last = error
  })

  function ask<T>(call: () => Promise<T>, isProof: (answer: T) => boolean): Change<T> {
    const before = failures
    const running = (async () => {
      const answer = await call()
      if (failures !== before && !isProof(answer))
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
        // 0: for ever, whatever the Keyv is set to.
        const answer = await keyv.set(key, value, 0)
        if (answer === false) throw new Error('The database of clients did not take a client.')
        return true as const
      }, isNoProof),
    delete: (key) => ask(async () => (await keyv.delete(key)) !== false, isNoProof),
  }
}

function isPresent(answer: unknown): boolean {
  return answer !== undefined && answer !== null
}

function isNoProof(): boolean {
  return false
}
