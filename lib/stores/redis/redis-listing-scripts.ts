import { entryFields } from './redis-entry.js'
import { FIND, FIND_FIELDS } from './redis-monitoring-scripts.js'

/*
 * The scripts that list and count. LISTED is the sorted set of all keys of a part by `issuedAt`. The name of LISTED, a colon
 * and a member make the name of the entry, so all of them are on one hash slot. LISTED may have members whose entries are
 * gone.
 *
 * No script reads more than some members, so that other commands do not wait long. Each one answers the place where the next
 * one continues: the score and the member that it has read last. The score is empty at the end of the list.
 */

/**
 * Adds a new key to LISTED. The arguments are the longest retention, and how often to look for members whose entries are
 * gone. Entries go without notice. So it looks at some members by chance, and at more of them while many are gone. On
 * average a quarter of LISTED is gone.
 *
 * A settlement can keep an entry for as long as the longest retention after the end of the record. It does not write
 * LISTED, so LISTED itself is kept for so long. A minute is added, so that this is not written for each key.
 */
export const LIST = `
local MAX_RETENTION_SECONDS, LOOKS = tonumber(ARGV[12]), tonumber(ARGV[13])
local function forget_some()
  local gone = {}
  for _, one in ipairs(redis.call('ZRANDMEMBER', LISTED, -16)) do
    if redis.call('EXISTS', LISTED .. ':' .. one) == 0 then gone[#gone + 1] = one end
  end
  if gone[1] then redis.call('ZREM', LISTED, unpack(gone)) end
  return #gone
end
local function list(issued_at, last)
  redis.call('ZADD', LISTED, issued_at, string.sub(ENTRY, #LISTED + 2))
  local until_then = tonumber(ttl(last + MAX_RETENTION_SECONDS))
  if redis.call('PTTL', LISTED) < until_then then
    redis.call('PEXPIRE', LISTED, string.format('%.0f', until_then + 60000))
  end
  for _ = 1, LOOKS do
    if forget_some() < 4 then return end
  end
end`

/** The most members that one script reads. */
const MOST_READ = 256

/**
 * The second and third arguments are a score and a member. It reads the members after them, the highest score first, and
 * those of the same score backwards. Lua would compare texts by the language of the server, so this compares bytes.
 */
const WALK = `
local SCORE, MEMBER = ARGV[2], ARGV[3]
local function is_lower(one)
  for i = 1, math.max(#one, #MEMBER) do
    local a, b = string.byte(one, i) or -1, string.byte(MEMBER, i) or -1
    if a ~= b then return a < b end
  end
  return false
end
local function rank_after(list)
  if SCORE == '' then return 0 end
  local low, high = redis.call('ZCOUNT', list, '(' .. SCORE, '+inf'), redis.call('ZCOUNT', list, SCORE, '+inf')
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_lower(redis.call('ZREVRANGE', list, middle, middle)[1]) then high = middle else low = middle + 1 end
  end
  return low
end
-- Calls visit with each member and its score, until it answers true.
local function walk(list, visit)
  local from = rank_after(list)
  local read = redis.call('ZREVRANGE', list, from, from + ${MOST_READ - 1}, 'WITHSCORES')
  for i = 1, #read, 2 do
    if visit(read[i], read[i + 1]) then return read[i + 1], read[i] end
  end
  if #read < ${2 * MOST_READ} then return '', '' end
  return read[#read], read[#read - 1]
end`

/**
 * The state that `find` answers with an entry, and its `exp`. It reads the times of NOT_BEFORE once for each identity, and
 * decodes the id of a client once.
 */
const STATE_OF = `
local LISTED, NOT_BEFORE = KEYS[1], KEYS[2]
local HAS_TIMES = redis.call('EXISTS', NOT_BEFORE) == 1
local clients, times = {}, {}
local function client_of(member)
  local text = string.match(member, '^[^:]*')
  local client = clients[text]
  if not client then
    client = string.gsub(text, '%%(%x%x)', function(digits) return string.char(tonumber(digits, 16)) end)
    clients[text] = client
  end
  return client
end
local function time_of(field)
  local time = times[field]
  if not time then
    local text = redis.call('HGET', NOT_BEFORE, field)
    time = text and tonumber(text) or -math.huge
    times[field] = time
  end
  return time
end
local function is_covered(member, sub, issued_at)
  local at = tonumber(issued_at)
  return at <= time_of('*') or at <= time_of('=' .. sub) or at <= time_of('=' .. client_of(member))
end
local function state_of(member, issued_at)
  local state, ends, exp, sub = unpack(redis.call('HMGET', LISTED .. ':' .. member, 'state', 'until', 'exp', 'sub'))
  if not state or tonumber(ends) < NOW then return false end
  if HAS_TIMES and (state == 'issued' or state == 'redeeming') and is_covered(member, sub, issued_at) then
    state = 'revoked'
  end
  return state, exp
end`

/** The further arguments are the begin of the members, a state and a limit. Answers members and what `find` answers. */
const LIST_KEYS = `
local CLIENT, STATE, LIMIT = ARGV[4], ARGV[5], tonumber(ARGV[6])
-- The code of the script find, which reads the names and arguments that it is given.
local function find(KEYS, ARGV)
  ${entryFields(FIND_FIELDS)}
  ${FIND}
end
local found = {}
local score, member = walk(LISTED, function(member, issued_at)
  if string.sub(member, 1, #CLIENT) ~= CLIENT then return false end
  if STATE ~= '' and state_of(member, issued_at) ~= STATE then return false end
  local entry = find({ LISTED .. ':' .. member, NOT_BEFORE }, { ARGV[1], client_of(member) })
  if entry == 'unknown' then return false end
  found[#found + 1] = member
  found[#found + 1] = entry
  return #found == 2 * LIMIT
end)
return { score, member, unpack(found) }`

/** Answers the counts of `issued`, `redeeming`, `redeemed`, `revoked` and expired keys. */
const COUNT_KEYS = `
local counts = { issued = 0, redeeming = 0, redeemed = 0, revoked = 0, expired = 0 }
local score, member = walk(LISTED, function(member, issued_at)
  local state, exp = state_of(member, issued_at)
  if not state then return false end
  if (state == 'issued' or state == 'redeeming') and tonumber(exp) < NOW then state = 'expired' end
  counts[state] = counts[state] + 1
end)
return { score, member, counts.issued, counts.redeeming, counts.redeemed, counts.revoked, counts.expired }`

/** The fourth argument is a limit. Answers the uses of clients. Those of bindings have a colon in their members. */
const LIST_USES = `
local LIMIT = tonumber(ARGV[4])
local found = {}
local score, member = walk(TIMES, function(member)
  if string.find(member, ':', 1, true) then return false end
  local use = uses_of(member)['']
  if not use or tonumber(use[2]) < NOW then return false end
  found[#found + 1] = cjson.encode({ member, '', unpack(use) })
  return #found == LIMIT
end)
return { score, member, unpack(found) }`

/** The parts of each script, after NOW. That of uses follows the code that reads them. */
export const LISTING_SCRIPTS = {
  keys: [WALK, STATE_OF, LIST_KEYS],
  count: [WALK, STATE_OF, COUNT_KEYS],
  uses: [WALK, LIST_USES],
} as const
