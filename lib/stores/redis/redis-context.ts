import type { KeyRef } from '../../ports/store.js'
import type { Connection } from './redis-connection.js'
import { encoded, type Layout } from './redis-layout.js'
import type { RedisOptions } from './redis-options.js'
import { requireFinite, textOf } from './redis-records.js'
import type { Script } from './redis-scripts.js'
import { type Keys, perform, type Verb } from './redis-verbs.js'

/** What the verbs work with. */
export interface RedisContext extends Pick<RedisOptions, 'maxProofsPerClient' | 'maxProofsPerKey'> {
  readonly redis: Connection
  readonly names: Layout
  readonly maxRetentionSeconds: number
  seconds(): number
  nextCall(): string
}

export function keysOf({ names }: RedisContext, { clientId, jti }: KeyRef): Keys {
  const ofClient = [names.marks(clientId), names.open(clientId), names.seen(clientId)]
  return [names.entry(clientId, jti), ...ofClient, names.outcome(clientId, jti)]
}

export function argsOf(
  { seconds }: RedisContext,
  { clientId, jti }: KeyRef,
  call: string,
  operands: readonly string[],
) {
  return [String(seconds()), textOf(clientId), call, encoded(jti), ...operands]
}

export function ask<T extends string>(
  context: RedisContext,
  verb: Verb<T>,
  ref: KeyRef,
  operands: readonly string[],
): Promise<T> {
  const args = argsOf(context, ref, context.nextCall(), operands)
  return context.redis.inTime(() => perform(context.redis, verb, keysOf(context, ref), args))
}

/** Runs a script that changes nothing. */
export function read(
  context: RedisContext,
  script: Script,
  ref: KeyRef,
  operands: readonly string[] = [],
): Promise<unknown> {
  const args = argsOf(context, ref, '', operands)
  return context.redis.inTime(() => context.redis.run(script, keysOf(context, ref), args))
}

/** A revocation by time is kept as long as any entry can be, so no entry may be kept longer. */
export function requireRetention({ seconds, maxRetentionSeconds }: RedisContext, retainUntil: number): void {
  requireFinite(retainUntil)
  if (!(retainUntil - seconds() <= maxRetentionSeconds))
    throw new RangeError(
      `retainUntil: expected a time within maxRetentionSeconds, which is ${maxRetentionSeconds}, got ${retainUntil}`,
    )
}
