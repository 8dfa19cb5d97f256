import type { KeyRef } from '../../ports/store.js'
import { requireTime } from '../verb-arguments.js'
import type { Connection, Keys } from './redis-connection.js'
import { encoded, type Layout } from './redis-layout.js'
import type { RedisOptions } from './redis-options.js'
import { textOf } from './redis-records.js'
import type { Script } from './redis-scripts.js'
import { runVerb, type Verb } from './redis-verbs.js'

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

/** The KEYS of a script about one provisioning key, in the order of `ENTRY` in redis-scripts.ts. */
export function keysOf({ names }: RedisContext, { clientId, jti }: KeyRef): Keys {
  const ofClient = [names.notBefore(clientId), names.open(clientId), names.seen(clientId)]
  return [names.entry(clientId, jti), ...ofClient, names.outcome(clientId, jti)]
}

/** The ARGV of such a script: four arguments that all scripts have, then the operands of the verb. */
export function argsOf(
  { seconds }: RedisContext,
  { clientId, jti }: KeyRef,
  call: string,
  operands: readonly string[],
) {
  return [String(seconds()), textOf(clientId), call, encoded(jti), ...operands]
}

/** Runs the script of a verb that changes one provisioning key. */
export function changeKey<T extends string>(
  context: RedisContext,
  verb: Verb<T>,
  ref: KeyRef,
  operands: readonly string[],
): Promise<T> {
  const args = argsOf(context, ref, context.nextCall(), operands)
  return context.redis.inTime(() => runVerb(context.redis, verb, keysOf(context, ref), args))
}

/** Runs a script that only reads one provisioning key. */
export function readKey(
  context: RedisContext,
  script: Script,
  ref: KeyRef,
  operands: readonly string[] = [],
): Promise<unknown> {
  const args = argsOf(context, ref, '', operands)
  return context.redis.inTime(() => context.redis.run(script, keysOf(context, ref), args))
}

/** No entry may be kept for longer than the times of `revokeIssuedBefore`, or it could become valid again. */
export function requireRetention({ seconds, maxRetentionSeconds }: RedisContext, retainUntil: number): void {
  requireTime('retainUntil', retainUntil)
  if (!(retainUntil - seconds() <= maxRetentionSeconds))
    throw new RangeError(
      `retainUntil: expected a time within maxRetentionSeconds (${maxRetentionSeconds}), got ${retainUntil}`,
    )
}
