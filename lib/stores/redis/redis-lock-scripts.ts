/*
 * The scripts of locks. A lock is a field of NOT_BEFORE, `lock=` and its identity, in each of the parts. So a script that
 * reads NOT_BEFORE reads it along. LOCKS is the sorted set of the locked identities by the ends of their locks.
 */

/** The text of a lock is its strength, its end and its JSON. The strength is 0 if the lock is not in force. */
export const STRENGTH = `
local function strength(text)
  if not text then return 0, 0 end
  local kind, last = string.match(text, '^(%d+) (%S+) ')
  if tonumber(last) < NOW then return 0, 0 end
  return tonumber(kind), tonumber(last)
end`

/** Keeps NOT_BEFORE and its two indexes for the same time, so that no field is left without its end. */
export const KEEP = `
local function keep(last)
  local lasting = tonumber(ttl(last))
  for i = 1, 3 do lasting = math.max(lasting, redis.call('PTTL', KEYS[i])) end
  for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], string.format('%.0f', lasting)) end
end`

/** The arguments are the identity, the strength, the end, the text, and the most locks. */
export const LOCK = `
local NOT_BEFORE, LOCKS = KEYS[1], KEYS[3]
local IDENTITY, KIND, LAST, TEXT, MOST = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], tonumber(ARGV[6])
for _, stale in ipairs(redis.call('ZRANGEBYSCORE', LOCKS, '-inf', '(' .. ARGV[1])) do
  redis.call('HDEL', NOT_BEFORE, 'lock=' .. stale)
end
redis.call('ZREMRANGEBYSCORE', LOCKS, '-inf', '(' .. ARGV[1])
local kind, last = strength(redis.call('HGET', NOT_BEFORE, 'lock=' .. IDENTITY))
if kind > KIND or (kind == KIND and last > tonumber(LAST)) then return 'unchanged' end
if kind == 0 and redis.call('ZCARD', LOCKS) >= MOST then return 'full' end
redis.call('HSET', NOT_BEFORE, 'lock=' .. IDENTITY, TEXT)
redis.call('ZADD', LOCKS, LAST, IDENTITY)
keep(redis.call('ZREVRANGE', LOCKS, 0, 0, 'WITHSCORES')[2])
return 'locked'`

/**
 * The arguments are the identity and the mark of the call. The mark is written before the lock is removed, because a hash
 * without fields loses its expiry.
 */
export const UNLOCK = `
local NOT_BEFORE, LOCKS = KEYS[1], KEYS[3]
local IDENTITY, CALL = ARGV[2], ARGV[3]
if strength(redis.call('HGET', NOT_BEFORE, 'lock=' .. IDENTITY)) == 0 then
  return redis.call('HGET', NOT_BEFORE, 'lock#') == CALL and 'unlocked' or 'unknown'
end
redis.call('ZREM', LOCKS, IDENTITY)
redis.call('HSET', NOT_BEFORE, 'lock#', CALL)
redis.call('HDEL', NOT_BEFORE, 'lock=' .. IDENTITY)
return 'unlocked'`

export const LOCKS = `
local texts = {}
for _, identity in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], ARGV[1], '+inf')) do
  texts[#texts + 1] = redis.call('HGET', KEYS[1], 'lock=' .. identity)
end
return texts`
