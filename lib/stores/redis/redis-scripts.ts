import { createHash } from 'node:crypto'
import { RECALL, REDEEM, RELEASE, SETTLE } from './redis-reservations.js'

/** A Lua script, and the hash by which Redis knows it after the first call. */
export interface Script {
  readonly source: string
  readonly sha: string
}

function script(...parts: readonly string[]): Script {
  const source = parts.map((part) => part.trim()).join('\n')
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}

/*
 * Numbers are passed on as text, because Lua would print them with 14 digits. Each script decides before its first
 * write. At `maxmemory` Redis refuses the first write of a script if it needs memory, but no later write. So a script
 * that moves a key begins with a PEXPIRE or a ZREM and always succeeds, and a script that adds a key is refused.
 */

/** Redis keeps an entry for some seconds after its end. No verb finds it, except for a caller whose clock is behind. */
const TIME = `
local NOW = tonumber(ARGV[1])
local GRACE_MILLISECONDS = 10000
local function ttl(last)
  return string.format('%.0f', math.ceil((tonumber(last) - NOW) * 1000) + GRACE_MILLISECONDS)
end
-- Only the error for a full memory becomes 'full'. The caller gets any other error.
local function answered(reply, answer)
  if type(reply) ~= 'table' or not reply.err then return answer end
  return string.find(reply.err, 'OOM', 1, true) and 'full' or reply
end`

/*
 * An entry is the hash of one provisioning key. Its fields:
 *
 * - `sub`, `scope`, `aud`, `iat`, `exp`, `cnf`: the record, by the names of the claims
 * - `until`: the end of the entry (`retainUntil`), `state`: its state, `at`: `changedAt`, `first`: `reservedAt`
 * - `attempt`: the attempt that has the reservation
 * - `owner`, `lease`: who may resume the reservation, and from when
 * - `redemption`: the first attempt, if another one has resumed the reservation
 * - `outcome_until`: until when the outcome may be read, if there is one
 * - `request`: the mark of the request, `family_client`: `familyClientId`, `family`: `revoked` if the family is revoked
 * - `call`: the mark of the call that wrote last. A call that is sent twice gets the same answer twice
 *
 * Field `*` of NOT_BEFORE is the time for everybody, `=id` that of one identity, and `#` the mark of the last change.
 */
const ENTRY = `
local CLIENT, CALL, JTI = ARGV[2], ARGV[3], ARGV[4]
local ENTRY, NOT_BEFORE, OPEN, SEEN, OUTCOME = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local function covered(subject, issued_at)
  for _, time in ipairs(redis.call('HMGET', NOT_BEFORE, '*', '=' .. CLIENT, '=' .. subject)) do
    if time and tonumber(issued_at) <= tonumber(time) then return true end
  end
  return false
end
-- The entry, with the revocations of NOT_BEFORE applied; nil if it is unknown or expired. Then whether it is in Redis.
local function find()
  local names = { 'state', 'sub', 'iat', 'until', 'attempt', 'family', 'call', 'scope', 'aud', 'exp', 'cnf',
    'family_client', 'owner', 'lease', 'redemption', 'outcome_until', 'at', 'first', 'request' }
  local kept = redis.call('HMGET', ENTRY, unpack(names))
  if not kept[1] then return nil, false end
  local entry = {}
  for i, name in ipairs(names) do entry[name] = kept[i] end
  if tonumber(entry['until']) < NOW then return nil, true end
  if entry.state ~= 'revoked' and covered(entry.sub, entry.iat) then
    if entry.state == 'redeemed' then entry.family = 'revoked' else entry.state = 'revoked' end
  end
  return entry, true
end
-- The member of OPEN for a key.
local function place(entry)
  return entry.iat .. ':' .. JTI .. ':' .. entry.sub
end
local function write(last, ...)
  redis.call('PEXPIRE', ENTRY, ttl(last))
  redis.call('HSET', ENTRY, 'call', CALL, ...)
end
-- Writes a change of state, with the time of the caller.
local function move(last, ...)
  write(last, 'at', ARGV[1], ...)
end`

/** Answers the state of the key, then its record. */
const FIND = `
local entry = find()
if not entry then return {} end
return {
  entry.state, entry.family or '', entry.sub, entry.scope, entry.aud, entry.iat, entry.exp, entry['until'],
  entry.at or entry.iat, entry.first or '', entry.cnf or '', entry.family_client or nil }`

const RECORD = `
local subject, issued_at, last, limit = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local function has_place()
  return redis.call('ZCOUNT', OPEN, ARGV[1], '+inf') < limit
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
local known, is_there = find()
if known then return known.call == CALL and 'recorded' or 'duplicate' end
if covered(subject, issued_at) then return 'revoked' end
if not has_place() then
  free_covered()
  if not has_place() then return 'outstanding' end
end
if is_there then redis.call('DEL', ENTRY) end
local reply = redis.pcall('HSET', ENTRY, 'state', 'issued', 'sub', subject, 'scope', ARGV[9], 'aud', ARGV[10],
  'iat', issued_at, 'exp', ARGV[11], 'until', last, 'call', CALL)
local answer = answered(reply, 'recorded')
if answer ~= 'recorded' then return answer end
if ARGV[12] ~= '' then redis.call('HSET', ENTRY, 'cnf', ARGV[12]) end
redis.call('PEXPIRE', ENTRY, ttl(last))
redis.call('ZADD', OPEN, last, place({ iat = issued_at, sub = subject }))
redis.call('ZREMRANGEBYSCORE', OPEN, '-inf', '(' .. ARGV[1])
if redis.call('PTTL', OPEN) < tonumber(ttl(last)) then redis.call('PEXPIRE', OPEN, ttl(last)) end
return answer`

const REVOKE = `
local entry = find()
if not entry then return 'unknown' end
if entry.state == 'redeemed' then return 'redeemed' end
if entry.state == 'revoked' then return entry.call == CALL and 'revoked' or 'unchanged' end
redis.call('ZREM', OPEN, place(entry))
move(entry['until'], 'state', 'revoked')
return 'revoked'`

const REVOKE_FAMILY = `
local entry = find()
if not entry then return 'unknown' end
if entry.state ~= 'redeemed' then return 'not_redeemed' end
redis.call('DEL', OUTCOME)
if entry.family then return entry.call == CALL and 'revoked' or 'unchanged' end
write(entry['until'], 'family', 'revoked')
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
for _, stale in ipairs(redis.call('ZRANGEBYSCORE', ENDS, '-inf', '(' .. ARGV[1])) do
  redis.call('HDEL', NOT_BEFORE, stale)
end
redis.call('ZREMRANGEBYSCORE', ENDS, '-inf', '(' .. ARGV[1])
local answer = raise()
local before = redis.call('ZSCORE', ENDS, field)
if not before or tonumber(before) < tonumber(last) then redis.call('ZADD', ENDS, last, field) end
local latest = redis.call('ZREVRANGE', ENDS, 0, 0, 'WITHSCORES')[2]
redis.call('PEXPIRE', NOT_BEFORE, ttl(latest))
redis.call('PEXPIRE', ENDS, ttl(latest))
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
  find: script(TIME, ENTRY, FIND),
  recall: script(TIME, ENTRY, RECALL),
  record: script(TIME, ENTRY, RECORD),
  redeem: script(TIME, ENTRY, REDEEM),
  settle: script(TIME, ENTRY, SETTLE),
  release: script(TIME, ENTRY, RELEASE),
  revoke: script(TIME, ENTRY, REVOKE),
  revokeFamily: script(TIME, ENTRY, REVOKE_FAMILY),
  revokeIssuedBefore: script(TIME, REVOKE_ISSUED_BEFORE),
  useOnce: script(TIME, USE_ONCE),
})
