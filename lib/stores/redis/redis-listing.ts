import type { ClientUse, KeyCounts, KeyEntry, ListingStore } from '../../ports/store.js'
import { type Page, type Place, pageOfKeys, pageOfUses, textOfPlace } from '../listing-arguments.js'
import type { Keys } from './redis-connection.js'
import { encoded } from './redis-layout.js'
import { listFrom, usesFrom } from './redis-monitoring.js'
import { type Cursor, eachPart, type Listed, merged, type PartOfList } from './redis-pages.js'
import { entryFrom } from './redis-records.js'
import { SCRIPTS, type Script } from './redis-scripts.js'
import type { RedisContext } from './redis-verbs.js'

/**
 * The verbs that list and count. Each part has an order of its own keys. One script reads only some of them, so a verb is
 * many short scripts, each with its own time limit.
 */
export function listingVerbs(context: RedisContext): ListingStore {
  const { names, seconds } = context
  return {
    async listKeys(query) {
      const { clientId, state = '', ...page } = pageOfKeys(query)
      const parts = clientId === undefined ? names.allListed : [names.ofClient(clientId).listedKeys]
      const wanted = clientId === undefined ? '' : `${encoded(clientId)}:`
      const now = String(seconds())
      const { entries, next } = await pageFrom(page, parts, (keys) => async (cursor, limit) => {
        const args = [now, ...cursor, wanted, state, String(limit)]
        return read(context, { script: SCRIPTS.listKeys, keys, args }, keysFrom)
      })
      return Object.freeze({ keys: entries, ...next })
    },
    async countKeys() {
      const counts = { issued: 0, redeeming: 0, redeemed: 0, revoked: 0, expired: 0 } satisfies KeyCounts
      const now = String(seconds())
      await eachPart(names.allListed, async (keys) => {
        let cursor: Cursor | undefined = START
        while (cursor !== undefined) {
          const call: Call = { script: SCRIPTS.countKeys, keys, args: [now, ...cursor] }
          const part: Read<Counted> = await read(context, call, countsFrom)
          for (const [name, count] of part.items) counts[name] += count
          cursor = part.rest
        }
      })
      return Object.freeze(counts)
    },
    async listUses(query) {
      const page = pageOfUses(query)
      const now = String(seconds())
      const { entries, next } = await pageFrom(page, names.allUses, (keys) => async (cursor, limit) => {
        const args = [now, ...cursor, String(limit)]
        return read(context, { script: SCRIPTS.listUses, keys, args }, usesListedFrom)
      })
      return Object.freeze({ uses: entries, ...next })
    },
  }
}

/** The cursor before the first member. */
const START: Cursor = ['', '']

/** One page of the lists of some parts. */
async function pageFrom<T>(
  { limit, after }: Page,
  parts: readonly Keys[],
  reader: (keys: Keys) => PartOfList<T>,
): Promise<{ readonly entries: readonly T[]; readonly next: { readonly next?: string } }> {
  const start: Cursor = after === undefined ? START : [String(after.time), memberOf(after)]
  const found = await merged(parts.map(reader), { start, limit: limit + 1 })
  const last = found[limit - 1]
  return {
    entries: Object.freeze(found.slice(0, limit).map(({ entry }) => entry)),
    next: last !== undefined && found.length > limit ? { next: textOfPlace(placeOf(last)) } : {},
  }
}

function memberOf({ ids }: Place): string {
  return ids.map(encoded).join(':')
}

function placeOf({ score, member }: Listed<unknown>): Place {
  return { time: score, ids: idsOf(member) }
}

function idsOf(member: string): string[] {
  return member.split(':').map(decodeURIComponent)
}

interface Call {
  readonly script: Script
  readonly keys: Keys
  readonly args: readonly string[]
}

/** What a script has read, and where the next one continues: `undefined` at the end. */
interface Read<T> {
  readonly items: readonly T[]
  readonly rest: Cursor | undefined
}

function read<T>(
  { redis }: RedisContext,
  { script, keys, args }: Call,
  itemsFrom: (list: readonly unknown[]) => readonly T[],
): Promise<Read<T>> {
  return redis.inTime(() =>
    redis.run(script, keys, args, (reply) => {
      const [score, member, ...rest] = listFrom(reply, 'a list verb')
      if (score === undefined || member === undefined) throw new Error('Redis: expected a page of a list')
      const cursor: Cursor = [String(score), String(member)]
      return { items: itemsFrom(rest), rest: cursor[0] === '' ? undefined : cursor }
    }),
  )
}

function keysFrom(list: readonly unknown[]): Listed<KeyEntry>[] {
  return list.flatMap((text, i) => {
    if (i % 2 === 0) return []
    const member = String(list[i - 1])
    const [clientId = '', jti = ''] = idsOf(member)
    const entry = entryFrom({ clientId, jti }, text)
    return entry === undefined ? [] : [{ score: entry.issuedAt, member, entry }]
  })
}

function usesListedFrom(list: readonly unknown[]): Listed<ClientUse>[] {
  return usesFrom(list).map((entry) => ({
    score: entry.lastUsedAt,
    member: encoded(entry.clientId),
    entry,
  }))
}

const COUNTS = ['issued', 'redeeming', 'redeemed', 'revoked', 'expired'] as const

type Counted = readonly [name: keyof KeyCounts, count: number]

function countsFrom(list: readonly unknown[]): Counted[] {
  const counts = COUNTS.map((name, i) => [name, Number(list[i])] as const)
  if (counts.every(([, count]) => Number.isSafeInteger(count))) return counts
  throw new Error('Redis: expected five counts')
}
