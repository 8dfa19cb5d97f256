/*
 * The scripts of locks. The locks of an identity, one of each kind, are a field of NOT_BEFORE in each of the parts: `lock=`
 * and the identity. So a script that reads NOT_BEFORE reads them along. LOCKS is the sorted set of these identities by the last ends of their locks.
 *
 * The first part decides: it gives each change of an identity a version, which only ever grows. The other parts take what the
 * first part has decided, unless they have a later version. So all parts agree in the end, in whatever order changes reach
 * them. A part keeps the version of locks that were ended for a while, so that an earlier change cannot lock again.
 */

/**
 * The first line of the text is the version. Each further line is a lock: its strength, its end and its JSON. The function
 * answers the locks that are in force, by their strengths from 1 on.
 */
export const LOCKS_IN = `
local function locks_in(text)
  local found = {}
  for line in string.gmatch(text or '', '[^\\n]+') do
    local kind, last = string.match(line, '^(%d) (%S+) {')
    if kind and tonumber(last) >= NOW then found[tonumber(kind)] = { last = tonumber(last), text = line } end
  end
  return found
end`

/** Keeps NOT_BEFORE and its two indexes for the same time, so that no field is left without its end. */
export const KEEP = `
local function keep(last)
  local lasting = tonumber(ttl(last))
  for i = 1, 3 do lasting = math.max(lasting, redis.call('PTTL', KEYS[i])) end
  for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], string.format('%.0f', lasting)) end
end`

/**
 * Removes fields of NOT_BEFORE whose time is over for the caller and for Redis. A caller whose clock is ahead must not end
 * revocations and locks for the others.
 */
export const FORGET_STALE = `
local function forget_stale(ends, prefix)
  local over = string.format('(%.17g', math.min(NOW, tonumber(redis.call('TIME')[1])))
  for _, stale in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', over)) do
    redis.call('HDEL', KEYS[1], prefix .. stale)
  end
  redis.call('ZREMRANGEBYSCORE', ends, '-inf', over)
end`

/** What each change begins with. Its first write needs no memory, so a full Redis takes also the further ones. */
const CHANGE = `
local NOT_BEFORE, LOCKS, IDENTITY = KEYS[1], KEYS[3], ARGV[2]
local FIELD = 'lock=' .. IDENTITY
forget_stale(LOCKS, 'lock=')
local present = redis.call('HGET', NOT_BEFORE, FIELD)
local function version_of(text) return tonumber(string.match(text or '', '^%d+') or 0) end
local function write(text, last)
  redis.call('HSET', NOT_BEFORE, FIELD, text)
  redis.call('ZADD', LOCKS, string.format('%.17g', last), IDENTITY)
  keep(redis.call('ZREVRANGE', LOCKS, 0, 0, 'WITHSCORES')[2])
end`

/**
 * The version of the last change is the field `lock#` of the first part. Versions begin with the time, so that they also
 * grow after a failover that has lost some of them.
 */
const VERSIONS = `
local latest = math.max(tonumber(redis.call('HGET', NOT_BEFORE, 'lock#') or 0), math.floor(NOW * 1000) - 1)
local next_version = string.format('%.0f', latest + 1)`

/** For the first part. The arguments are the identity, the strength, the end, the line, and the most locked identities. */
const LOCK = `
local KIND, LAST, LINE, MOST = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local is_ending = string.find(present or '', '^%d+ ending')
local locks = is_ending and {} or locks_in(present)
local same = locks[KIND]
if same and same.last > LAST then return 'unchanged ' .. present end
if not present and redis.call('ZCARD', LOCKS) >= MOST then return 'full' end
locks[KIND] = { last = LAST, text = LINE }
local lines, last = { next_version }, LAST
for _, lock in pairs(locks) do
  lines[#lines + 1] = lock.text
  last = math.max(last, lock.last)
end
local text = table.concat(lines, '\\n')
redis.call('HSET', NOT_BEFORE, 'lock#', next_version)
write(text, last)
return 'locked ' .. text`

/**
 * For the first part. It marks the locks as ending, so that they are listed until the other parts have ended them. A call that is
 * sent twice, or repeated after a failure, ends them again.
 */
const UNLOCK = `
if not next(locks_in(present)) then return 'unknown ' .. string.format('%.0f', latest) end
local text = string.gsub(present, '^%d+[^\\n]*', next_version .. ' ending', 1)
redis.call('HSET', NOT_BEFORE, 'lock#', next_version, FIELD, text)
return 'unlocked ' .. next_version`

/** An identity whose locks were ended is remembered for so long. No earlier change is still under way then. */
const REMEMBERED_SECONDS = 3_600

/** For the other parts. The third argument is the text of the first part, or a version alone if its locks were ended. */
const COPY = `
local TEXT = ARGV[3]
if version_of(present) >= version_of(TEXT) then return 'unchanged' end
local last = nil
for _, lock in pairs(locks_in(TEXT)) do last = math.max(last or lock.last, lock.last) end
write(TEXT, last or NOW + ${REMEMBERED_SECONDS})
return 'copied'`

/** The third argument is a version. Later locks stay. */
const REMOVE = `
if not present or version_of(present) > tonumber(ARGV[3]) then return 'unknown' end
redis.call('ZREM', LOCKS, IDENTITY)
redis.call('HDEL', NOT_BEFORE, FIELD)
return next(locks_in(present)) and 'unlocked' or 'unknown'`

const ALL = `
local texts = {}
for _, identity in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], ARGV[1], '+inf')) do
  for _, lock in pairs(locks_in(redis.call('HGET', KEYS[1], 'lock=' .. identity))) do texts[#texts + 1] = lock.text end
end
return texts`

/** The parts of each script, after NOW and TTL. */
export const LOCK_SCRIPTS = {
  lock: [LOCKS_IN, KEEP, FORGET_STALE, CHANGE, VERSIONS, LOCK],
  unlock: [LOCKS_IN, KEEP, FORGET_STALE, CHANGE, VERSIONS, UNLOCK],
  copy: [LOCKS_IN, KEEP, FORGET_STALE, CHANGE, COPY],
  remove: [LOCKS_IN, KEEP, FORGET_STALE, CHANGE, REMOVE],
  all: [LOCKS_IN, ALL],
} as const
