/*
 * The scripts of the last uses. USES is a hash of the part: a JSON text for each client, whose members are the use of the
 * client itself under an empty name, and those of its bindings under `:` and their ids. Each use is a list: its time, its
 * end and its network. Two sorted sets have all uses of the part, as client and member: by their times, and by their ends.
 *
 * Numbers are texts in the JSON, because Lua would print them with 14 digits.
 */

const MOST_USES = 16_384

/** How many expired uses each call removes. */
const MOST_REMOVED = 16

const USES = `
local USES, TIMES, ENDS = KEYS[1], KEYS[2], KEYS[3]
local function uses_of(client)
  local text = redis.call('HGET', USES, client)
  return text and cjson.decode(text) or {}
end`

/**
 * The arguments are the client, the member, the time, the end and the network, if there is one. It writes the use first: a
 * full Redis refuses this write, and then nothing is changed.
 */
const NOTE = `
local CLIENT, MEMBER, TIME, last, NETWORK = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local uses = uses_of(CLIENT)
local present = uses[MEMBER]
if present and tonumber(present[2]) >= NOW then
  if tonumber(present[1]) > tonumber(TIME) then return 'unchanged' end
  if tonumber(present[2]) > tonumber(last) then last = present[2] end
end
uses[MEMBER] = { TIME, last, NETWORK }
redis.call('HSET', USES, CLIENT, cjson.encode(uses))
local own = CLIENT .. MEMBER
redis.call('ZADD', TIMES, TIME, own)
redis.call('ZADD', ENDS, last, own)
local function forget(one)
  local client, member = string.match(one, '^([^:]*)(.*)$')
  local others = uses_of(client)
  others[member] = nil
  if next(others) then redis.call('HSET', USES, client, cjson.encode(others)) else redis.call('HDEL', USES, client) end
  redis.call('ZREM', TIMES, one)
  redis.call('ZREM', ENDS, one)
end
local stale = redis.call('ZRANGEBYSCORE', ENDS, '-inf', '(' .. ARGV[1], 'LIMIT', 0, ${MOST_REMOVED})
for _, one in ipairs(stale) do forget(one) end
if redis.call('ZCARD', TIMES) > ${MOST_USES} then
  local earliest = redis.call('ZRANGE', TIMES, 0, 1)
  forget(earliest[1] == own and earliest[2] or earliest[1])
end
local latest = redis.call('ZREVRANGE', ENDS, 0, 0, 'WITHSCORES')[2]
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ttl(latest)) end
return 'noted'`

/** The argument is the client. Answers a list of members and uses. */
const OF_CLIENT = `
local texts = {}
for member, use in pairs(uses_of(ARGV[2])) do
  if tonumber(use[2]) >= NOW then texts[#texts + 1] = cjson.encode({ ARGV[2], member, unpack(use) }) end
end
return texts`

/** The arguments are a time and a limit. Answers a list of uses, the longest unused first. */
const UNUSED = `
local TIME, LIMIT, PAGE = '(' .. ARGV[2], tonumber(ARGV[3]), 256
local texts, offset = {}, 0
while true do
  local page = redis.call('ZRANGEBYSCORE', TIMES, '-inf', TIME, 'LIMIT', offset, PAGE)
  for _, one in ipairs(page) do
    if #texts == LIMIT then return texts end
    local client, member = string.match(one, '^([^:]*)(.*)$')
    local use = uses_of(client)[member]
    if use and tonumber(use[2]) >= NOW then texts[#texts + 1] = cjson.encode({ client, member, unpack(use) }) end
  end
  if #page < PAGE then return texts end
  offset = offset + PAGE
end`

/** The parts of each script, after NOW and TTL. */
export const USE_SCRIPTS = {
  note: [USES, NOTE],
  ofClient: [USES, OF_CLIENT],
  unused: [USES, UNUSED],
  read: USES,
} as const
