import { randomBytes } from 'node:crypto'
import { ANSWERS } from '../checked-store.js'
import type { Connection, Keys } from './redis-connection.js'
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

/**
 * Runs the script of a verb, and waits for the replicas if its answer needs them.
 *
 * @throws Error also when the reply is not one of the words of the script
 */
export function runVerb<T extends string>(
  redis: Connection,
  verb: Verb<T>,
  keys: Keys,
  args: readonly string[],
): Promise<T> {
  return redis.run(verb.script, keys, args, (reply) => {
    const answer = answerOf(verb, String(reply))
    return isReplicated(redis, verb, answer) ? redis.replicate(keys[0]).then(() => answer) : answer
  })
}

/** The word of a script, and what follows it after a space. */
export interface FullAnswer<T extends string> {
  readonly answer: T
  readonly rest: string
}

/** Runs the script of a verb that answers more than a word, as `runVerb` does. */
export function runVerbInFull<T extends string>(
  redis: Connection,
  verb: Verb<T>,
  keys: Keys,
  args: readonly string[],
): Promise<FullAnswer<T>> {
  return redis.run(verb.script, keys, args, (reply) => {
    const [word = ''] = String(reply).split(' ', 1)
    const full = { answer: answerOf(verb, word), rest: String(reply).slice(word.length + 1) }
    return isReplicated(redis, verb, full.answer) ? redis.replicate(keys[0]).then(() => full) : full
  })
}

function answerOf<T extends string>({ answers }: Verb<T>, word: string): T {
  const answer = answers.find((one) => one === word)
  if (answer === undefined) throw new Error(`Redis: expected one of ${answers.join(', ')} as the answer`)
  return answer
}

function isReplicated<T extends string>({ minReplicas }: Connection, verb: Verb<T>, answer: T): boolean {
  return minReplicas > 0 && verb.replicated.includes(answer)
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
