import type { IdentifierOwner, ProvisioningStore, RedeemOutcome } from '../../ports/store.js'
import { inspector } from './redis-advice.js'
import { type Connection, connection } from './redis-connection.js'
import { argsOf, ask, keysOf, type RedisContext, read, requireRetention } from './redis-context.js'
import { layout } from './redis-layout.js'
import { type RedisStoreOptions, readRedisOptions } from './redis-options.js'
import {
  entryFrom,
  leaseOperands,
  operandsOf,
  recollectionFrom,
  requireFinite,
  requireFuture,
  settlementOperands,
  textOf,
} from './redis-records.js'
import { SCRIPTS } from './redis-scripts.js'
import { callMarks, type Keys, perform, VERBS } from './redis-verbs.js'

export type * from '../../ports/store.js'
export type { RedisHazard, RedisStoreOptions, SendCommand } from './redis-options.js'

/**
 * A store in Redis.
 *
 * @example
 * async function mayStart(store: RedisStore): Promise<boolean> {
 *   const advice = await store.check()
 *   return advice.length === 0
 * }
 */
export interface RedisStore extends ProvisioningStore {
  /**
   * Asks Redis whether it is there and how it is set up; answers what is bad for keys and was not accepted. Without it
   * that is looked at, and reported, when the first verb has been answered.
   *
   * @throws Error when Redis does not answer
   */
  check(): Promise<readonly string[]>
}

/**
 * A store in Redis 6.2 or newer, or Valkey, alone or as a cluster, for any number of processes. It knows no client
 * library, only `sendCommand`.
 *
 * **Layout.** Clients are divided into 64 parts by a hash of their id. The names of all keys of a part carry its tag, as
 * in `epk:{07/64}:key:a-client:a-jti`, so they lie on one hash slot, and a verb is one script on one node. An entry is a
 * hash with an expiry. Beside it are, for each client, a sorted set of its outstanding keys by their end; and for each
 * part all times of `revokeIssuedBefore`. That verb writes its time into every part before it answers, so every other
 * verb reads it inside the script that decides. If it rejects half-way, it covers some clients already; raising it again
 * is always right.
 *
 * **Time.** The clock of the caller decides when an entry ends, because it also set `exp` and checks it. The expiry in
 * Redis is a duration that ends ten seconds later and only frees memory. A time in the past is refused.
 *
 * **Answers that get lost.** Each call leaves a mark, so a client that sends a command again gets the lost answer. A
 * reservation whose answer came too late is given back. A late redemption stays, with its outcome.
 *
 * **Limits of owners.** An identifier with an owner lies in the part of its client, beside two sorted sets: what the
 * client, and what its key, has that is still remembered. One script counts and writes, so no number of concurrent calls
 * exceeds a limit.
 *
 * **Outcomes.** A sealed outcome is a string of its own, which goes when the record's own time is over, however long the
 * entry is kept. `revokeFamily` deletes it; below a watermark it is not read. Where there is no room for it, the
 * redemption is kept without it.
 *
 * **No key material.** Names and values are ids, terms, times and thumbprints; the text of a key never comes here.
 *
 * @example
 * import { createClient } from 'redis'
 *
 * const client = await createClient({ url: 'redis://keys.internal:6379' }).connect()
 * const store = redisStore({ sendCommand: (command) => client.sendCommand(command) })
 *
 * @throws ConfigurationError with all faults of the options
 */
export function redisStore(options: RedisStoreOptions): RedisStore {
  const { prefix, now, maxRetentionSeconds, maxProofsPerClient, maxProofsPerKey, ...parsed } =
    readRedisOptions(options)
  const redis = connection(parsed)
  const names = layout(prefix)
  const inspect = inspector(parsed, redis.send, names.home)
  const context: RedisContext = {
    redis: inspected(redis, inspect),
    names,
    seconds: () => secondsOf(now()),
    maxRetentionSeconds,
    maxProofsPerClient,
    maxProofsPerKey,
    nextCall: callMarks(),
  }
  return Object.freeze<RedisStore>({
    ...recordVerbs(context),
    recall: recallVerb(context),
    ...redemptionVerbs(context),
    ...revocationVerbs(context),
    useOnce: onceVerb(context),
    async check() {
      await redis.inTime(() => redis.send(['PING'], names.home))
      return redis.inTime(inspect)
    },
  })
}

function secondsOf(milliseconds: number): number {
  if (Number.isFinite(milliseconds)) return milliseconds / 1000
  throw new RangeError(`now: expected a time in milliseconds, got ${milliseconds}`)
}

/** Looks how Redis is set up when it has first answered. */
function inspected(redis: Connection, inspect: () => Promise<unknown>): Connection {
  let isInspected = false
  return {
    ...redis,
    async run(...all) {
      const answer = await redis.run(...all)
      if (!isInspected) {
        isInspected = true
        inspect().catch(() => undefined)
      }
      return answer
    },
  }
}

function recordVerbs(context: RedisContext): Pick<ProvisioningStore, 'record' | 'find'> {
  return {
    async record(key, limits) {
      requireFuture(key.retainUntil, context.seconds())
      requireRetention(context, key.retainUntil)
      return ask(context, VERBS.record, key, operandsOf(key, limits.outstanding))
    },
    find: async (ref) => entryFrom(ref, await read(context, SCRIPTS.find, ref)),
  }
}

function recallVerb(context: RedisContext): ProvisioningStore['recall'] {
  return async function recall(ref, ownerId) {
    return recollectionFrom(await read(context, SCRIPTS.recall, ref, [textOf(ownerId)]))
  }
}

/** The answers to the owner of a reservation. */
const TAKEN: readonly RedeemOutcome[] = ['reserved', 'resumed']

function redemptionVerbs(context: RedisContext): Pick<ProvisioningStore, 'redeem' | 'settle' | 'release'> {
  const { redis, nextCall } = context
  return {
    async redeem(ref, attempt, lease) {
      const call = nextCall()
      const operands = [textOf(attempt), ...leaseOperands(lease, context.seconds())]
      const args = argsOf(context, ref, call, operands)
      // A reservation whose answer was lost is given back. Only this one: the attempt may have another by then.
      const giveBack = () => ask(context, VERBS.release, ref, [textOf(attempt), call]).catch(() => undefined)
      const reserve = () => perform(redis, VERBS.redeem, keysOf(context, ref), args)
      const reserveOrNot = () =>
        reserve().catch((error) => {
          giveBack()
          throw error
        })
      return redis.inTime(reserveOrNot, (late) => TAKEN.includes(late) && giveBack())
    },
    async settle(ref, attempt, retainUntil, settlement) {
      requireRetention(context, retainUntil)
      const kept = settlementOperands(settlement)
      return ask(context, VERBS.settle, ref, [textOf(attempt), String(retainUntil), ...kept])
    },
    release: async (ref, attempt, hasActed) =>
      ask(context, VERBS.release, ref, [textOf(attempt), ...(hasActed ? ['', 'acted'] : [])]),
  }
}

type RevocationVerbs = Pick<ProvisioningStore, 'revoke' | 'revokeFamily' | 'revokeIssuedBefore'>

function revocationVerbs(context: RedisContext): RevocationVerbs {
  const { redis, names, seconds, nextCall, maxRetentionSeconds } = context
  return {
    revoke: async (ref) => ask(context, VERBS.revoke, ref, []),
    revokeFamily: async (ref) => ask(context, VERBS.revokeFamily, ref, []),
    async revokeIssuedBefore({ identity, issuedBefore, retainUntil }) {
      const now = seconds()
      requireFuture(retainUntil, now)
      requireFinite(issuedBefore, 'issuedBefore')
      const field = identity === undefined ? '*' : `=${textOf(identity)}`
      const until = Math.max(retainUntil, now + maxRetentionSeconds)
      const args = [now, field, issuedBefore, until, nextCall()].map(String)
      const raise = (keys: Keys) => perform(redis, VERBS.revokeIssuedBefore, keys, args)
      const answers = await redis.inTime(() => Promise.all(names.allMarks.map(raise)))
      return answers.includes('revoked') ? 'revoked' : 'unchanged'
    },
  }
}

function onceVerb(context: RedisContext): ProvisioningStore['useOnce'] {
  const { redis, names, seconds, nextCall, maxProofsPerClient, maxProofsPerKey } = context
  // A client and its keys count apart: a holder of a key must not be able to lock the client itself out.
  const countsOf = ({ clientId, jti }: IdentifierOwner): (readonly [name: string, limit: number])[] =>
    jti === undefined
      ? [[names.proofs(clientId), maxProofsPerClient]]
      : [
          [names.keyProofs(clientId), maxProofsPerClient],
          [names.proofs(clientId, jti), maxProofsPerKey],
        ]
  return async function useOnce(id, until, owner) {
    requireFuture(until, seconds(), 'until')
    const counts = owner === undefined ? [] : countsOf(owner)
    const keys: Keys = [names.once(id, owner?.clientId), ...counts.map(([name]) => name)]
    const args = [seconds(), until, nextCall(), ...counts.map(([, limit]) => limit)].map(String)
    return redis.inTime(() => perform(redis, VERBS.useOnce, keys, args))
  }
}
