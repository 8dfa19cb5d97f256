import { markInTime } from '../../base/deadline.js'
import type { IdentifierOwner, ProvisioningStore, RedeemOutcome } from '../../ports/store.js'
import { wrapVerbs } from '../../ports/store-verbs.js'
import { requireFuture, requireTime } from '../verb-arguments.js'
import { inspector, restartReporter } from './redis-advice.js'
import { connection, type Keys } from './redis-connection.js'
import { encoded, layout } from './redis-layout.js'
import { listingVerbs } from './redis-listing.js'
import { monitoringVerbs } from './redis-monitoring.js'
import { ACCEPTED_HAZARDS, type RedisStoreOptions, readRedisOptions } from './redis-options.js'
import {
  entryFrom,
  leaseOperands,
  operandsOf,
  recollectionFrom,
  settlementOperands,
  textOf,
} from './redis-records.js'
import { SCRIPTS } from './redis-scripts.js'
import {
  callMarks,
  changeKey,
  type RedisContext,
  readKey,
  requireRetention,
  runVerb,
  VERBS,
} from './redis-verbs.js'

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
   * Checks that Redis accepts changes, and inspects its settings. Answers one text for each hazard that `accept` does not name.
   * If you do not call it, the settings are inspected and reported after the first verb.
   *
   * @throws Error when Redis does not answer, or accepts no changes
   */
  check(): Promise<readonly string[]>
}

/**
 * A store in Redis 6.2 or newer, or Valkey, alone or as a cluster, for any number of processes. It depends on no client
 * library, only on `sendCommand`.
 *
 * **Layout.** Clients are divided into 64 parts by a hash of their id. The names of all Redis keys of a part have its
 * tag, as in `epk:{07/64}:key:a-client:a-jti`. So they are on one hash slot, and a verb is one script on one node. An
 * entry is a hash with an expiry. Each client has a sorted set of its outstanding keys. Each part has all times of
 * `revokeIssuedBefore`: that verb writes its time into every part before it answers, and every other verb reads it
 * inside its script. If `revokeIssuedBefore` rejects half-way, it covers some clients already; call it again. Locks are
 * in the same hashes, so `find` and `record` read them along. All findings are in the first part.
 *
 * **Lists.** Each part has a sorted set of its keys by `issuedAt`. A list or a count reads it in many short scripts, of which
 * at most eight run at the same time. These scripts, and `record`, make the names of entries from the members of the set.
 * All of these names are on the hash slot of the set.
 *
 * **Time.** The clock of the caller decides when an entry ends, because it also set `exp` and checks it. The expiry in
 * Redis is a duration that ends ten seconds later and only frees memory. A time in the past is refused.
 *
 * **Lost answers.** Each call leaves a mark. If a client library sends a command again, it gets the lost answer. If the
 * answer to a reservation comes too late, the reservation is given back. A late redemption stays, with its outcome.
 *
 * **Limits of owners.** An identifier with an owner is in the part of its client, as are two sorted sets: the
 * identifiers of the client, and those of its key. One script counts and writes, so concurrent calls cannot exceed a
 * limit.
 *
 * **Outcomes.** An encrypted outcome is a string of its own. It ends with the time of the record itself, even if the
 * entry is kept for longer. `revokeFamily` deletes it. If the key is revoked by `revokeIssuedBefore`, it is not read.
 * If there is no room for it, the key is redeemed without it.
 *
 * **No key material.** Names and values are ids, terms, times and thumbprints, never the text of a key.
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
  const names = layout(prefix)
  const { redis, inspect } = inspectedConnection(parsed, names.home)
  const context: RedisContext = {
    redis,
    names,
    seconds: () => secondsOf(now()),
    maxRetentionSeconds,
    maxProofsPerClient,
    maxProofsPerKey,
    nextCall: callMarks(),
  }
  const verbs = {
    ...recordVerbs(context),
    ...redemptionVerbs(context),
    ...revocationVerbs(context),
    ...monitoringVerbs(context),
    ...listingVerbs(context),
    useOnce: onceVerb(context),
  }
  return markInTime<RedisStore>({
    ...wrapVerbs(verbs, (call, verb) =>
      OWN_LIMITS.includes(verb) ? call : (...given) => redis.inTime(() => call(...given)),
    ),
    ...{ [ACCEPTED_HAZARDS]: parsed.accept },
    async check() {
      // A change of nothing, because a read-only replica also answers a PING.
      await redis.inTime(() => redis.send(['DEL', `${names.home}-check`], names.home))
      return redis.inTime(inspect)
    },
  })
}

/** A connection that reports the hazards of Redis after its first answer, and each restart. */
function inspectedConnection(
  options: Parameters<typeof connection>[0] & Parameters<typeof inspector>[0],
  home: string,
) {
  const redis = connection(options, {
    firstAnswer() {
      restarts.firstAnswer()
      inspect().catch(() => undefined)
    },
    unknownScript(key) {
      restarts.unknownScript(key).catch(() => undefined)
    },
  })
  const restarts = restartReporter(options, redis.send)
  const inspect = inspector(options, redis.send, home)
  return { redis, inspect }
}

/** The verbs with time limits of their own. Each script of a list has one, and a late reservation is given back. */
const OWN_LIMITS: readonly (keyof ProvisioningStore)[] = ['redeem', 'listKeys', 'countKeys', 'listUses']

function secondsOf(milliseconds: number): number {
  if (Number.isFinite(milliseconds)) return milliseconds / 1000
  throw new RangeError(`now: expected a time in milliseconds, got ${milliseconds}`)
}

/** The first key of a store, and each 16th after it, removes keys that are gone from the list of keys. */
const RECORDS_BETWEEN_LOOKS = 16
const MOST_LOOKS = 16

function recordVerbs(context: RedisContext): Pick<ProvisioningStore, 'record' | 'find' | 'recall'> {
  const { maxRetentionSeconds } = context
  let recorded = 0
  return {
    record(key, { outstanding }) {
      requireFuture('retainUntil', key.retainUntil, context.seconds())
      requireRetention(context, key.retainUntil)
      const looks = recorded % RECORDS_BETWEEN_LOOKS === 0 ? MOST_LOOKS : 0
      recorded += 1
      const operands = operandsOf(key, { outstanding, maxRetentionSeconds, looks })
      return changeKey(context, VERBS.record, key, operands)
    },
    find: (ref) => readKey(context, SCRIPTS.find, ref, { read: (reply) => entryFrom(ref, reply) }),
    recall: (ref, ownerId) =>
      readKey(context, SCRIPTS.recall, ref, { operands: [textOf(ownerId)], read: recollectionFrom }),
  }
}

/** The answers that come with a reservation. */
const RESERVED: readonly RedeemOutcome[] = ['reserved', 'resumed']

function redemptionVerbs(context: RedisContext): Pick<ProvisioningStore, 'redeem' | 'settle' | 'release'> {
  const { inTime } = context.redis
  return {
    redeem(ref, attempt, lease) {
      const call = context.nextCall()
      // Gives back a reservation whose answer was lost. It names the call, because the attempt may have reserved again.
      const giveBack = () => {
        inTime(() => changeKey(context, VERBS.release, ref, [attempt, call])).catch(() => undefined)
      }
      const reserveOrGiveBack = () => {
        const operands = [textOf(attempt), ...leaseOperands(lease, context.seconds())]
        return changeKey({ ...context, nextCall: () => call }, VERBS.redeem, ref, operands).catch((error) => {
          giveBack()
          throw error
        })
      }
      return inTime(reserveOrGiveBack, (late) => RESERVED.includes(late) && giveBack())
    },
    settle(ref, attempt, retainUntil, settlement) {
      requireRetention(context, retainUntil)
      const operands = [textOf(attempt), String(retainUntil), ...settlementOperands(settlement)]
      return changeKey(context, VERBS.settle, ref, [encoded(ref.jti), ...operands])
    },
    // The empty operand releases any reservation of the attempt, not only that of one call.
    release: (ref, attempt, hasActed) =>
      changeKey(context, VERBS.release, ref, [textOf(attempt), ...(hasActed ? ['', 'acted'] : [])]),
  }
}

type RevocationVerbs = Pick<ProvisioningStore, 'revoke' | 'revokeFamily' | 'revokeIssuedBefore'>

function revocationVerbs(context: RedisContext): RevocationVerbs {
  const { redis, names, seconds, nextCall, maxRetentionSeconds } = context
  return {
    revoke: (ref) => changeKey(context, VERBS.revoke, ref, [encoded(ref.jti)]),
    revokeFamily: (ref) => changeKey(context, VERBS.revokeFamily, ref, []),
    async revokeIssuedBefore({ identity, issuedBefore, retainUntil }) {
      const now = seconds()
      requireFuture('retainUntil', retainUntil, now)
      requireTime('issuedBefore', issuedBefore)
      // The field of the hash `notBefore`: one identity, or `*` for all.
      const field = identity === undefined ? '*' : `=${textOf(identity)}`
      const until = Math.max(retainUntil, now + maxRetentionSeconds)
      const args = [now, field, issuedBefore, until, nextCall()].map(String)
      const raiseNotBefore = (keys: Keys) => runVerb(redis, VERBS.revokeIssuedBefore, keys, args)
      const answers = await Promise.all(names.allNotBefore.map(raiseNotBefore))
      return answers.includes('revoked') ? 'revoked' : 'unchanged'
    },
  }
}

function onceVerb(context: RedisContext): ProvisioningStore['useOnce'] {
  const { redis, names, seconds, nextCall, maxProofsPerClient, maxProofsPerKey } = context
  // A client and its keys have separate counts, so that a stolen key cannot lock out the client itself.
  const countsOf = ({ clientId, jti }: IdentifierOwner): (readonly [name: string, limit: number])[] => {
    const client = names.ofClient(clientId)
    if (jti === undefined) return [[client.proofs(), maxProofsPerClient]]
    return [
      [client.keyProofs(), maxProofsPerClient],
      [client.proofs(jti), maxProofsPerKey],
    ]
  }
  return async function useOnce(id, until, owner) {
    requireFuture('until', until, seconds())
    const counts = owner === undefined ? [] : countsOf(owner)
    const name = owner === undefined ? names.once(id) : names.ofClient(owner.clientId).once(id)
    const keys: Keys = [name, ...counts.map(([count]) => count)]
    const args = [seconds(), until, nextCall(), ...counts.map(([, limit]) => limit)].map(String)
    return runVerb(redis, VERBS.useOnce, keys, args)
  }
}
