import type { KeyRef } from '../../ports/store.js'
import { requireTime } from '../verb-arguments.js'
import type { Connection, Keys } from './redis-connection.js'
import type { ClientNames, Layout } from './redis-layout.js'
import type { RedisOptions } from './redis-options.js'
import type { KeyScript } from './redis-scripts.js'
import { type FullAnswer, type KeyVerb, runVerb, runVerbInFull } from './redis-verbs.js'

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
export function changeKey<T extends string>(
  { redis, names, seconds, nextCall }: RedisContext,
  verb: KeyVerb<T>,
  { clientId, jti }: KeyRef,
  operands: readonly string[],
  call = nextCall(),
): Promise<T> {
  const keys = keysOf(names.ofClient(clientId), verb.script, jti)
  return runVerb(redis, verb, keys, [String(seconds()), clientId, call, ...operands])
}

/** The same for a verb that answers more than a word. */
export function changeKeyInFull<T extends string>(
  { redis, names, seconds, nextCall }: RedisContext,
  verb: KeyVerb<T>,
  { clientId, jti }: KeyRef,
  operands: readonly string[],
): Promise<FullAnswer<T>> {
  const keys = keysOf(names.ofClient(clientId), verb.script, jti)
  return runVerbInFull(redis, verb, keys, [String(seconds()), clientId, nextCall(), ...operands])
}

/** Runs a script that only reads one provisioning key. */
export function readKey<T>(
  { redis, names, seconds }: RedisContext,
  script: KeyScript,
  { clientId, jti }: KeyRef,
  operands: readonly string[],
  read: (reply: unknown) => T,
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
