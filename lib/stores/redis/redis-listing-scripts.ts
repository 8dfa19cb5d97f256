import { ENTRY, entryFields } from './redis-entry.js'
import { FIND, FIND_FIELDS } from './redis-monitoring-scripts.js'

/*
 * The scripts that list and count. LISTED is the sorted set of all keys of a part by `issuedAt`. The name of LISTED, a colon
 * and a member make the name of the entry, so all of them are on one hash slot. LISTED may have members whose entries are
 * gone.
 *
 * No script reads more than some members, so that other commands do not wait long. Each one answers the place where the next
 * one continues: the score and the member that it has read last. The score is empty at the end of the list.
 */

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
-- Calls visit with each member, until it answers true.
local function walk(list, visit)
  local from = rank_after(list)
  local read = redis.call('ZREVRANGE', list, from, from + ${MOST_READ - 1}, 'WITHSCORES')
  for i = 1, #read, 2 do
    if visit(read[i]) then return read[i + 1], read[i] end
  end
  if #read < ${2 * MOST_READ} then return '', '' end
  return read[#read], read[#read - 1]
end`

/** The code of other scripts, as functions: they read the names and arguments that they are given. */
const KEYS_OF_PART = `
local LISTED, NOT_BEFORE = KEYS[1], KEYS[2]
local function client_of(member)
  return (string.gsub(string.match(member, '^[^:]*'), '%%(%x%x)', function(digits)
    return string.char(tonumber(digits, 16))
  end))
end
local function state_of(KEYS, ARGV)
  ${entryFields('exp')}
  ${ENTRY}
  return state, exp
end`

/** The further arguments are the begin of the members, a state and a limit. Answers members and what `find` answers. */
const LIST_KEYS = `
local CLIENT, STATE, LIMIT = ARGV[4], ARGV[5], tonumber(ARGV[6])
local function find(KEYS, ARGV)
  ${entryFields(FIND_FIELDS)}
  ${FIND}
end
local found = {}
local score, member = walk(LISTED, function(member)
  if string.sub(member, 1, #CLIENT) ~= CLIENT then return false end
  local names, arguments = { LISTED .. ':' .. member, NOT_BEFORE }, { ARGV[1], client_of(member) }
  if STATE ~= '' and state_of(names, arguments) ~= STATE then return false end
  local entry = find(names, arguments)
  if entry == 'unknown' then return false end
  found[#found + 1] = member
  found[#found + 1] = entry
  return #found == 2 * LIMIT
end)
return { score, member, unpack(found) }`

/** Answers the counts of `issued`, `redeeming`, `redeemed`, `revoked` and expired keys. */
const COUNT_KEYS = `
local counts = { issued = 0, redeeming = 0, redeemed = 0, revoked = 0, expired = 0 }
local score, member = walk(LISTED, function(member)
  local state, exp = state_of({ LISTED .. ':' .. member, NOT_BEFORE }, { ARGV[1], client_of(member) })
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
  keys: [WALK, KEYS_OF_PART, LIST_KEYS],
  count: [WALK, KEYS_OF_PART, COUNT_KEYS],
  uses: [WALK, LIST_USES],
} as const
