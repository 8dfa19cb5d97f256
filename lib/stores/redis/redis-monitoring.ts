import type { ClientUse, Finding, Lock, MonitoringStore } from '../../ports/store.js'
import { areFindings, areUses } from '../checked-monitoring.js'
import {
  byLastAt,
  copyOfFinding,
  copyOfLock,
  copyOfUse,
  requireLimit,
  strengthOf,
} from '../monitoring-arguments.js'
import { requireTime } from '../verb-arguments.js'
import type { Keys } from './redis-connection.js'
import { encoded } from './redis-layout.js'
import { lockFrom, objectFrom, sightingWord, textOf, textOfLock } from './redis-records.js'
import { SCRIPTS } from './redis-scripts.js'
import {
  changeKeyInFull,
  type RedisContext,
  runVerb,
  runVerbInFull,
  VERBS,
  type Verb,
} from './redis-verbs.js'

/** The most locked identities. Each one takes 64 fields. */
const MOST_LOCKED = 10_000

export function monitoringVerbs(context: RedisContext): MonitoringStore {
  return {
    async notePresentation(ref, network) {
      const verb = VERBS.notePresentation
      const { answer, rest } = await changeKeyInFull(context, verb, ref, [sightingWord(network)])
      return { outcome: answer, networks: Number(rest) }
    },
    ...lockVerbs(context),
    ...findingVerbs(context),
    ...useVerbs(context),
  }
}

/**
 * The first part decides, and the others copy its locks. It shows a lock until no other part can have it. So `locks` shows
 * each lock that a part may have, even if a call fails half-way.
 */
function lockVerbs(context: RedisContext): Pick<MonitoringStore, 'lock' | 'unlock' | 'locks'> {
  const { redis, names, seconds } = context
  const [first, ...others] = names.allNotBefore
  const inOthers = <T extends string>(verb: Verb<T>, args: readonly string[]): Promise<T[]> =>
    Promise.all(others.map((keys) => runVerb(redis, verb, keys, args)))
  return {
    async lock(given) {
      const now = seconds()
      const lock = copyOfLock(given, now)
      const identity = textOf(lock.clientId)
      const line = textOf(textOfLock(lock))
      const args = [now, identity, strengthOf(lock) + 1, lock.until, line, MOST_LOCKED].map(String)
      const { answer, rest } = await runVerbInFull(redis, VERBS.lock, first, args)
      if (answer !== 'full') await inOthers(VERBS.copyLock, [String(now), identity, rest])
      return answer
    },
    async unlock(clientId) {
      const args = [String(seconds()), textOf(clientId)]
      const { answer, rest: version } = await runVerbInFull(redis, VERBS.unlock, first, args)
      if (answer === 'unlocked') {
        await inOthers(VERBS.copyLock, [...args, version])
        await runVerb(redis, VERBS.removeLock, first, [...args, version])
        return answer
      }
      // After a failover the others can have a lock that the first part has lost.
      const outcomes = await inOthers(VERBS.removeLock, [...args, version])
      return outcomes.includes('unlocked') ? 'unlocked' : 'unknown'
    },
    locks: () =>
      redis.run(SCRIPTS.locks, first, [String(seconds())], (reply): readonly Lock[] =>
        listFrom(reply, 'locks').map(lockFrom),
      ),
  }
}

type FindingVerbs = Pick<MonitoringStore, 'noteFinding' | 'findings' | 'closeFinding'>

function findingVerbs({ redis, names, seconds, nextCall }: RedisContext): FindingVerbs {
  const { findings } = names
  return {
    async noteFinding(report) {
      const now = seconds()
      const copy = copyOfFinding(report, now)
      const args = [String(now), textOf(copy.id), nextCall(), jsonOf(copy)]
      return redis.run(SCRIPTS.noteFinding, findings, args, (reply) => {
        const [, word, json = ''] = /^(opened|changed) (.*)$/s.exec(String(reply)) ?? []
        return Object.freeze({ finding: findingFrom(json), isOpened: word === 'opened' })
      })
    },
    async findings() {
      const now = seconds()
      return redis.run(SCRIPTS.findings, findings, [], (reply) =>
        listFrom(reply, 'findings')
          .map(findingFrom)
          .filter(({ until }) => until >= now)
          .sort(byLastAt),
      )
    },
    closeFinding: (id) =>
      runVerb(redis, VERBS.closeFinding, findings, [String(seconds()), textOf(id), nextCall()]),
  }
}

type UseVerbs = Pick<MonitoringStore, 'noteUse' | 'lastUses' | 'unusedSince'>

function useVerbs({ redis, names, seconds }: RedisContext): UseVerbs {
  return {
    async noteUse(given) {
      const now = seconds()
      const { clientId, bindingId, lastUsedAt, network, until } = copyOfUse(given, now)
      const member = bindingId === undefined ? '' : `:${encoded(bindingId)}`
      const kept = network === undefined ? [] : [textOf(network)]
      const args = [String(now), encoded(clientId), member, String(lastUsedAt), String(until), ...kept]
      await runVerb(redis, VERBS.noteUse, names.ofClient(clientId).uses, args)
    },
    async lastUses(clientId) {
      const args = [String(seconds()), encoded(clientId)]
      return redis.run(SCRIPTS.lastUses, names.ofClient(clientId).uses, args, usesFrom)
    },
    async unusedSince(time, limit) {
      requireTime('time', time)
      requireLimit(limit)
      const args = [seconds(), time, limit].map(String)
      const ofPart = (keys: Keys) => redis.run(SCRIPTS.unusedSince, keys, args, usesFrom)
      const all = (await Promise.all(names.allUses.map(ofPart))).flat()
      return all.sort((one, other) => one.lastUsedAt - other.lastUsedAt).slice(0, limit)
    },
  }
}

/** @throws Error when the reply is no list. The message does not repeat the reply, which could be anything. */
export function listFrom(reply: unknown, verb: string): readonly unknown[] {
  if (Array.isArray(reply)) return reply
  throw new Error(`Redis: expected a list as the answer of ${verb}`)
}

const NUMBERS = ['count', 'firstAt', 'lastAt', 'until'] as const

/** A finding as JSON, with its numbers as texts. */
function jsonOf(finding: Finding): string {
  const texts = NUMBERS.map((name) => [name, String(finding[name])])
  return textOf(JSON.stringify({ ...finding, ...Object.fromEntries(texts) }))
}

/** Reads the JSON of a finding. In Lua an empty list and an empty object are the same. */
function findingFrom(text: unknown): Finding {
  const { id, rule, severity, evidence, subject, ...rest } = objectFrom(text)
  const [samples, actions] = [rest.samples, rest.actions].map((list) => (Array.isArray(list) ? list : []))
  const numbers = Object.fromEntries(NUMBERS.map((name) => [name, Number(rest[name])]))
  const finding: unknown = Object.freeze({
    id,
    rule,
    severity,
    evidence,
    subject,
    ...numbers,
    samples,
    actions,
  })
  const findings = [finding]
  if (areFindings(findings)) return findings[0] as Finding
  throw new Error('Redis: expected a finding')
}

export function usesFrom(reply: unknown): readonly ClientUse[] {
  const uses: unknown = listFrom(reply, 'uses').map((text) => {
    const [client, member, lastUsedAt, until, network] = Object.values(objectFrom(text)).map(String)
    return Object.freeze({
      clientId: decodeURIComponent(client ?? ''),
      ...(member && { bindingId: decodeURIComponent(member.slice(1)) }),
      lastUsedAt: Number(lastUsedAt),
      ...(network !== undefined && { network }),
      until: Number(until),
    })
  })
  if (areUses(uses)) return uses
  throw new Error('Redis: expected uses')
}
