import type { ClientRateLimitInfo, Options, Store } from 'express-rate-limit'
import { deadline, type InTime } from '../base/deadline.js'
import { ConfigurationError } from '../base/errors.js'
import { describe } from '../base/faults.js'
import { isObject } from '../base/object.js'

/**
 * Wraps the host's stores for the limiters of one instance. If a store counts too late or wrongly, the limiter refuses
 * the request.
 */
export function limitStores(
  make: (name: string) => unknown,
  timeoutSeconds: number,
): (name: string) => Store {
  const countInTime = deadline({ milliseconds: timeoutSeconds * 1000, who: 'The store of rate limits' })
  const namesOf = new Map<unknown, string>()
  return function limitStore(name) {
    const store = readStore(make(name), name)
    for (const identity of identitiesOf(store)) {
      const other = namesOf.get(identity)
      if (other !== undefined && other !== name) throw new ConfigurationError([notItsOwn(name, other)])
      namesOf.set(identity, name)
    }
    return guarded(store, countInTime)
  }
}

const VERBS = ['increment', 'decrement', 'resetKey'] as const

function readStore(made: unknown, name: string): Store {
  if (isObject(made) && VERBS.every((verb) => typeof made[verb] === 'function'))
    return made as unknown as Store
  const expected = `a store of express-rate-limit for ${name}, with ${VERBS.join(', ')}`
  throw new ConfigurationError([`rateLimit.store: expected ${expected}, got ${describe(made)}`])
}

/** The identities of a store. If two stores shared one, their counts would mix. */
function identitiesOf(store: Store): readonly unknown[] {
  const { prefix, localKeys } = store
  return typeof prefix === 'string' && localKeys !== true ? [store, `prefix ${prefix}`] : [store]
}

function notItsOwn(name: string, other: string): string {
  const hint = `rateLimit.store: expected a store of its own for each limiter, named by its prefix, such as \`limit:${name}:\``
  return `${hint}, got the same for ${other} and ${name}`
}

function guarded(store: Store, countInTime: InTime): Store {
  const preparation = preparer(store)
  return {
    init: preparation.begin,
    increment: (key) =>
      countInTime(async () => {
        await preparation.done()
        try {
          return readCount(await store.increment(key))
        } catch (error) {
          preparation.doubt()
          throw error
        }
      }),
    decrement: (key) => store.decrement(key),
    resetKey: (key) => store.resetKey(key),
  }
}

/** An invalid count would compare as below every limit, and so switch the limit off. */
function readCount({ totalHits, resetTime }: ClientRateLimitInfo): ClientRateLimitInfo {
  if (!(Number.isSafeInteger(totalHits) && totalHits > 0))
    throw new Error(`The store of rate limits answered ${describe(totalHits)} for a count`)
  const isTime = resetTime instanceof Date && Number.isFinite(resetTime.getTime())
  return { totalHits, resetTime: isTime ? resetTime : undefined }
}

interface Preparation {
  /** Starts the preparation. `done` reports a failure. */
  readonly begin: (options: Options) => void
  /** Resolves when the store is prepared. Prepares it again if it is not. */
  readonly done: () => Promise<void>
  /** Call it after a failure of the store. The preparation may be the cause, so the store is prepared again. */
  readonly doubt: () => void
}

/**
 * Calls `init` of a store, and calls it again after a failure. Otherwise a store that was prepared while its server was
 * down would fail forever. An example is rate-limit-redis, which loads its scripts from the server.
 */
function preparer(store: Store): Preparation {
  let options: Options | undefined
  let running: Promise<void> | undefined
  let isPrepared = true
  let asksAServer = false

  async function prepare(given: Options): Promise<void> {
    const initialised = store.init?.(given)
    asksAServer ||= initialised instanceof Promise
    await initialised
    isPrepared = true
  }

  function begin(given: Options): Promise<void> {
    isPrepared = false
    running = prepare(given).finally(() => {
      running = undefined
    })
    return running
  }

  return {
    begin(given) {
      options = given
      begin(given).catch(() => undefined)
    },
    done: async () => running ?? (isPrepared || options === undefined ? undefined : begin(options)),
    doubt() {
      if (asksAServer && running === undefined) isPrepared = false
    },
  }
}
