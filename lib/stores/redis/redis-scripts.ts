import { createHash } from 'node:crypto'
import { ANSWERED, ENTRY, entryFields, FAMILY, MOVE, NOW, TTL } from './redis-entry.js'
import { FINDING_SCRIPTS } from './redis-finding-scripts.js'
import { LIST, LISTING_SCRIPTS } from './redis-listing-scripts.js'
import { FORGET_STALE, KEEP, LOCK_SCRIPTS, LOCKS_IN } from './redis-lock-scripts.js'
import { FIND, FIND_FIELDS, NOTE_PRESENTATION } from './redis-monitoring-scripts.js'
import { RECALL, REDEEM, RELEASE, SETTLE } from './redis-reservations.js'
import { USE_SCRIPTS } from './redis-use-scripts.js'

/** A Lua script, and the hash by which Redis knows it after the first call. */
export interface Script {
  readonly source: string
  readonly sha: string
}

/** A script about one provisioning key. */
export interface KeyScript extends Script {
  /** The names of KEYS after ENTRY and NOT_BEFORE. */
  readonly others: readonly OtherKey[]
}

type OtherKey = 'open' | 'seen' | 'listed' | 'outcome'

function script(...parts: readonly string[]): Script {
  const source = parts.map((part) => part.trim()).join('\n')
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}

/** @param fields the further fields of the entry that the script reads, each into a local variable of its name */
function keyScript(others: readonly OtherKey[], fields: string, ...parts: readonly string[]): KeyScript {
  const keys = others.map((name, i) => `local ${name.toUpperCase()} = KEYS[${i + 3}]`)
  return { ...script(NOW, ...keys, entryFields(fields), ENTRY, ...parts), others }
}

/** The arguments from the fourth on are the operands of `operandsOf`. Those from the 14th on are names and values. */
const RECORD = `
local JTI, SUBJECT, ISSUED_AT, LAST, LIMIT = ARGV[4], ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local IS_BOUND = ARGV[14] == 'cnf' and ARGV[15] ~= '{}'
local THROTTLE, STEP_UP, FULL_LOCK = 1, 2, 3
local function has_place()
  if redis.call('ZCOUNT', OPEN, ARGV[1], '+inf') >= LIMIT then return false end
  if not locks_in(subject_lock)[THROTTLE] then return true end
  for _, one in ipairs(redis.call('ZRANGEBYSCORE', OPEN, ARGV[1], '+inf')) do
    if string.match(one, '^[^:]*:[^:]*:(.*)$') == SUBJECT then return false end
  end
  return true
end
-- Removes revoked keys from OPEN. It runs for a client at its limit only, once after each change of NOT_BEFORE.
local function free_covered()
  local revision = redis.call('HGET', NOT_BEFORE, '#')
  if not revision or redis.call('GET', SEEN) == revision then return end
  for _, one in ipairs(redis.call('ZRANGE', OPEN, 0, -1)) do
    local at, of = string.match(one, '^([^:]*):[^:]*:(.*)$')
    if covered(of, at) then redis.call('ZREM', OPEN, one) end
  end
  redis.pcall('SET', SEEN, revision, 'PX', redis.call('PTTL', NOT_BEFORE))
end
if state then return call == CALL and 'recorded' or 'duplicate' end
if covered(SUBJECT, ISSUED_AT, true) then return 'revoked' end
local own, its = locks_in(client_lock), locks_in(subject_lock)
if own[FULL_LOCK] or its[FULL_LOCK] then return 'locked' end
if (own[STEP_UP] or its[STEP_UP]) and not IS_BOUND then return 'unbound' end
if own[THROTTLE] then LIMIT = math.min(LIMIT, 1) end
if not has_place() then
  free_covered()
  if not has_place() then return 'outstanding' end
end
-- An entry whose time is over.
if ends then redis.call('DEL', ENTRY) end
local reply = redis.pcall('HSET', ENTRY, 'state', 'issued', 'sub', SUBJECT, 'scope', ARGV[9], 'aud', ARGV[10],
  'iat', ISSUED_AT, 'exp', ARGV[11], 'until', LAST, 'call', CALL, unpack(ARGV, 14))
local answer = answered(reply, 'recorded')
if answer ~= 'recorded' then return answer end
local lasting = ttl(LAST)
redis.call('PEXPIRE', ENTRY, lasting)
redis.call('ZADD', OPEN, LAST, ISSUED_AT .. ':' .. JTI .. ':' .. SUBJECT)
redis.call('ZREMRANGEBYSCORE', OPEN, '-inf', '(' .. ARGV[1])
if redis.call('PTTL', OPEN) < tonumber(lasting) then redis.call('PEXPIRE', OPEN, lasting) end
list(ISSUED_AT, tonumber(LAST))
return answer`

/** The fourth argument is the encoded `jti`. */
const REVOKE = `
if not state then return 'unknown' end
if state == 'redeemed' then return 'redeemed' end
if state == 'revoked' then return call == CALL and 'revoked' or 'unchanged' end
redis.call('ZREM', OPEN, iat .. ':' .. ARGV[4] .. ':' .. sub)
move('at', ARGV[1], 'state', 'revoked')
return 'revoked'`

const REVOKE_FAMILY = `
if not state then return 'unknown' end
if state ~= 'redeemed' then return 'not_redeemed' end
redis.call('DEL', OUTCOME)
if family then return call == CALL and 'revoked' or 'unchanged' end
move('family', 'revoked')
return 'revoked'`

const REVOKE_ISSUED_BEFORE = `
local NOT_BEFORE, ENDS = KEYS[1], KEYS[2]
local field, issued_before, last, CALL = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local function raise()
  local time = redis.call('HGET', NOT_BEFORE, field)
  if time and tonumber(time) >= tonumber(issued_before) then
    return redis.call('HGET', NOT_BEFORE, '#') == CALL and 'revoked' or 'unchanged'
  end
  redis.call('HSET', NOT_BEFORE, field, issued_before, '#', CALL)
  return 'revoked'
end
forget_stale(ENDS, '')
local answer = raise()
local before = redis.call('ZSCORE', ENDS, field)
if not before or tonumber(before) < tonumber(last) then redis.call('ZADD', ENDS, last, field) end
local latest = redis.call('ZREVRANGE', ENDS, 0, 0, 'WITHSCORES')[2]
keep(latest)
return answer`

/**
 * For an identifier with an owner, the further keys are the sorted sets of its client and its provisioning key, and the
 * arguments from the fourth on are their limits. The members of the sets are the marks of calls, because they are
 * shorter than identifiers.
 */
const USE_ONCE = `
local used = redis.call('GET', KEYS[1])
if used then
  local last, call = string.match(used, '^(%S+) (%S+)$')
  if call == ARGV[3] then return 'first' end
  if tonumber(last) >= NOW then return 'used' end
end
for i = 2, #KEYS do
  if redis.call('ZCOUNT', KEYS[i], ARGV[1], '+inf') >= tonumber(ARGV[i + 2]) then return 'limited' end
end
local lasting = ttl(ARGV[2])
local answer = answered(redis.pcall('SET', KEYS[1], ARGV[2] .. ' ' .. ARGV[3], 'PX', lasting), 'first')
if answer ~= 'first' then return answer end
for i = 2, #KEYS do
  redis.call('ZADD', KEYS[i], ARGV[2], ARGV[3])
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', '(' .. ARGV[1])
  if redis.call('PTTL', KEYS[i]) < tonumber(lasting) then redis.call('PEXPIRE', KEYS[i], lasting) end
end
return answer`

/** The verbs of the port, each one script on keys of one hash slot. */
export const SCRIPTS = Object.freeze({
  find: { ...script(NOW, entryFields(FIND_FIELDS), FIND), others: [] },
  recall: keyScript(['outcome'], 'family attempt owner redemption outcome_until request', FAMILY, RECALL),
  record: keyScript(['open', 'seen', 'listed'], 'call', TTL, ANSWERED, LOCKS_IN, LIST, RECORD),
  redeem: keyScript([], 'call first', MOVE, REDEEM),
  settle: keyScript(['open', 'outcome'], 'call attempt', TTL, ANSWERED, SETTLE),
  release: keyScript([], 'call attempt owner redemption', MOVE, RELEASE),
  revoke: keyScript(['open'], 'call', MOVE, REVOKE),
  revokeFamily: keyScript(['outcome'], 'family call', FAMILY, MOVE, REVOKE_FAMILY),
  revokeIssuedBefore: script(NOW, TTL, KEEP, FORGET_STALE, REVOKE_ISSUED_BEFORE),
  useOnce: script(NOW, TTL, ANSWERED, USE_ONCE),
  notePresentation: keyScript([], 'seen noted', NOTE_PRESENTATION),
  lock: script(NOW, TTL, ...LOCK_SCRIPTS.lock),
  unlock: script(NOW, TTL, ...LOCK_SCRIPTS.unlock),
  copyLock: script(NOW, TTL, ...LOCK_SCRIPTS.copy),
  removeLock: script(NOW, TTL, ...LOCK_SCRIPTS.remove),
  locks: script(NOW, ...LOCK_SCRIPTS.all),
  noteFinding: script(NOW, TTL, ...FINDING_SCRIPTS.note),
  closeFinding: script(NOW, ...FINDING_SCRIPTS.close),
  findings: script(...FINDING_SCRIPTS.all),
  noteUse: script(NOW, TTL, ...USE_SCRIPTS.note),
  lastUses: script(NOW, ...USE_SCRIPTS.ofClient),
  unusedSince: script(NOW, ...USE_SCRIPTS.unused),
  listKeys: script(NOW, ...LISTING_SCRIPTS.keys),
  countKeys: script(NOW, ...LISTING_SCRIPTS.count),
  listUses: script(NOW, USE_SCRIPTS.read, ...LISTING_SCRIPTS.uses),
})
