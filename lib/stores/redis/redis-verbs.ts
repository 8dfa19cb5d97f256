import { randomBytes } from 'node:crypto'
import type { KeyRef } from '../../ports/store.js'
import { ANSWERS } from '../../ports/store-outcomes.js'
import { requireTime } from '../verb-arguments.js'
import type { Connection, Keys } from './redis-connection.js'
import type { ClientNames, Layout } from './redis-layout.js'
import type { RedisOptions } from './redis-options.js'
import { type KeyScript, SCRIPTS, type Script } from './redis-scripts.js'

/** A script that answers one word, all its words, and the words for which replicas must have the write. */
export interface Verb<T extends string, S extends Script = Script> {
  readonly script: S
  readonly answers: readonly T[]
  readonly replicated: readonly T[]
}

/** A verb about one provisioning key. */
export type KeyVerb<T extends string> = Verb<T, KeyScript>

function verb<T extends string, S extends Script>(
  script: S,
  answers: readonly T[],
  replicated: readonly NoInfer<T>[] = [],
): Verb<T, S> {
  return { script, answers, replicated }
}

/**
 * All verbs that answer a word. A failover may lose a `record` or a `release`.
 */
export const VERBS = Object.freeze({
  record: verb(SCRIPTS.record, ANSWERS.record),
  redeem: verb(SCRIPTS.redeem, ANSWERS.redeem, ['reserved', 'resumed']),
  settle: verb(SCRIPTS.settle, ANSWERS.settle, ['settled']),
  release: verb(SCRIPTS.release, ANSWERS.release),
  revoke: verb(SCRIPTS.revoke, ANSWERS.revoke, ['revoked', 'unchanged']),
  revokeFamily: verb(SCRIPTS.revokeFamily, ANSWERS.revokeFamily, ['revoked', 'unchanged']),
  revokeIssuedBefore: verb(SCRIPTS.revokeIssuedBefore, ANSWERS.revokeIssuedBefore, ['revoked', 'unchanged']),
  useOnce: verb(SCRIPTS.useOnce, ANSWERS.useOnce, ['first']),
  notePresentation: verb(SCRIPTS.notePresentation, ANSWERS.notePresentation),
  lock: verb(SCRIPTS.lock, ANSWERS.lock, ['locked', 'unchanged']),
  unlock: verb(SCRIPTS.unlock, ANSWERS.unlock, ['unlocked', 'unknown']),
  copyLock: verb(SCRIPTS.copyLock, ['copied', 'unchanged'], ['copied', 'unchanged']),
  removeLock: verb(SCRIPTS.removeLock, ANSWERS.unlock, ['unlocked', 'unknown']),
  closeFinding: verb(SCRIPTS.closeFinding, ANSWERS.closeFinding),
  noteUse: verb(SCRIPTS.noteUse, ['noted', 'unchanged']),
})

/** The word of a script, and what follows it after a space. */
export interface FullAnswer<T extends string> {
  readonly answer: T
  readonly rest: string
}

/**
 * Runs the script of a verb, and waits for the replicas if its answer needs them.
 *
 * @throws Error also when the reply does not begin with one of the words of the script
 */
export function runVerbInFull<T extends string>(
  redis: Connection,
  verb: Verb<T>,
  keys: Keys,
  args: readonly string[],
): Promise<FullAnswer<T>> {
  return redis.run(verb.script, keys, args, (reply) => {
    const [word = ''] = String(reply).split(' ', 1)
    const answer = verb.answers.find((one) => one === word)
    if (answer === undefined)
      throw new Error(`Redis: expected one of ${verb.answers.join(', ')} as the answer`)
    const full = { answer, rest: String(reply).slice(word.length + 1) }
    const isReplicated = redis.minReplicas > 0 && verb.replicated.includes(answer)
    return isReplicated ? redis.replicate(keys[0]).then(() => full) : full
  })
}

/** The same for a verb that answers only a word. */
export function runVerb<T extends string>(...given: Parameters<typeof runVerbInFull<T>>): Promise<T> {
  return wordOf(runVerbInFull(...given))
}

/** @throws Error when the answer is more than a word */
async function wordOf<T extends string>(full: Promise<FullAnswer<T>>): Promise<T> {
  const { answer, rest } = await full
  if (rest === '') return answer
  throw new Error(`Redis: expected only ${answer} as the answer`)
}

/** Makes a unique mark for each call, in all processes. By its mark, Redis recognises a call that is sent twice. */
export function callMarks(): () => string {
  const process = randomBytes(9).toString('base64url')
  let count = 0
  return () => {
    count += 1
    return `${process}.${count.toString(36)}`
  }
}

/** The connection, the names and the limits of one store. */
export interface RedisContext extends Pick<RedisOptions, 'maxProofsPerClient' | 'maxProofsPerKey'> {
  readonly redis: Connection
  readonly names: Layout
  readonly maxRetentionSeconds: number
  /** Now, as a NumericDate. */
  seconds(): number
  /** A new mark for a call: see `callMarks`. */
  nextCall(): string
}

/** Runs the script of a verb that changes one provisioning key. */
export function changeKeyInFull<T extends string>(
  { redis, names, seconds, nextCall }: RedisContext,
  verb: KeyVerb<T>,
  { clientId, jti }: KeyRef,
  operands: readonly string[],
): Promise<FullAnswer<T>> {
  const keys = keysOf(names.ofClient(clientId), verb.script, jti)
  return runVerbInFull(redis, verb, keys, [String(seconds()), clientId, nextCall(), ...operands])
}

/** The same for a verb that answers only a word. */
export function changeKey<T extends string>(...given: Parameters<typeof changeKeyInFull<T>>): Promise<T> {
  return wordOf(changeKeyInFull(...given))
}

/** Runs a script that only reads one provisioning key. */
export function readKey<T>(
  { redis, names, seconds }: RedisContext,
  script: KeyScript,
  { clientId, jti }: KeyRef,
  { operands = [], read }: { readonly operands?: readonly string[]; readonly read: (reply: unknown) => T },
): Promise<T> {
  const keys = keysOf(names.ofClient(clientId), script, jti)
  return redis.run(script, keys, [String(seconds()), clientId, ...operands], read)
}

function keysOf(client: ClientNames, { others }: KeyScript, jti: string): Keys {
  return [client.entry(jti), client.notBefore, ...others.map((other) => client[other](jti))]
}

/** No entry may be kept for longer than the times of `revokeIssuedBefore`, or it could become valid again. */
export function requireRetention({ seconds, maxRetentionSeconds }: RedisContext, retainUntil: number): void {
  requireTime('retainUntil', retainUntil)
  if (!(retainUntil - seconds() <= maxRetentionSeconds))
    throw new RangeError(
      `retainUntil: expected a time within maxRetentionSeconds (${maxRetentionSeconds}), got ${retainUntil}`,
    )
}
