/*
 * The scripts of a reservation. They follow the code of redis-entry.ts, which also explains the fields of an entry.
 */

/** The fourth argument is the attempt. A fifth and a sixth one are its owner, and the end of the lease. */
export const REDEEM = `
local ATTEMPT, OWNER, LEASE = ARGV[4], ARGV[5], ARGV[6]
if not state then return 'unknown' end
if state == 'redeeming' then
  local names = { 'attempt', 'owner', 'lease', 'redemption' }
  local attempt, owner, lease, redemption = unpack(redis.call('HMGET', ENTRY, unpack(names)))
  if call == CALL then return redemption and 'resumed' or 'reserved' end
  if not OWNER or owner ~= OWNER or NOW < tonumber(lease) then return 'redeeming' end
  move('at', ARGV[1], 'attempt', ATTEMPT, 'lease', LEASE, 'redemption', redemption or attempt)
  return 'resumed'
end
if state ~= 'issued' then return state end
local owned = OWNER and { 'owner', OWNER, 'lease', LEASE } or {}
move('at', ARGV[1], 'state', 'redeeming', 'attempt', ATTEMPT, 'first', first or ARGV[1], unpack(owned))
return 'reserved'`

/**
 * The arguments from the fourth on are the encoded `jti`, the attempt, `retainUntil`, then names and values of the
 * settlement. The outcome is the first of them. It is written first, because it needs memory: if there is no room, Redis
 * refuses this write, and the key is redeemed without an outcome. The outcome ends exactly with the time of the record
 * itself.
 */
export const SETTLE = `
local JTI, ATTEMPT, last = ARGV[4], ARGV[5], ARGV[6]
if not state then return 'unknown' end
if state == 'revoked' then return 'revoked' end
if state == 'redeemed' and call == CALL then return 'settled' end
if state ~= 'redeeming' or attempt ~= ATTEMPT then return 'lost' end
local kept = { unpack(ARGV, 7) }
if kept[1] == 'outcome' then
  local left = string.format('%.0f', math.max(1, math.floor((tonumber(ends) - NOW) * 1000)))
  local answer = answered(redis.pcall('SET', OUTCOME, kept[2], 'PX', left), 'settled')
  if answer ~= 'settled' and answer ~= 'full' then return answer end
  kept[1], kept[2] = 'outcome_until', ends
  if answer == 'full' then kept = { unpack(ARGV, 9) } end
end
redis.call('ZREM', OPEN, iat .. ':' .. JTI .. ':' .. sub)
if tonumber(last) > tonumber(ends) then
  ends = last
  redis.call('PEXPIRE', ENTRY, ttl(ends))
end
redis.call('HSET', ENTRY, 'call', CALL, 'at', ARGV[1], 'state', 'redeemed', 'until', ends, unpack(kept))
return 'settled'`

/**
 * The fourth argument is the attempt. With a fifth argument: only if that call made the reservation. Its caller did not
 * get the answer.
 *
 * A resumed reservation stays, and its lease ends: an earlier attempt may have acted, so only the same owner may resume
 * it. With a sixth argument, any reservation with an owner stays.
 *
 * It writes even if there is no entry, so it fails on a Redis that accepts no writes. Readiness depends on this.
 */
export const RELEASE = `
local ATTEMPT, RESERVED_BY, HAS_ACTED = ARGV[4], ARGV[5], ARGV[6]
if not state then
  redis.call('DEL', ENTRY)
  return 'unknown'
end
if state == 'revoked' then return 'revoked' end
if call == CALL then return 'released' end
if state ~= 'redeeming' or attempt ~= ATTEMPT then return 'lost' end
if RESERVED_BY and RESERVED_BY ~= '' and call ~= RESERVED_BY then return 'lost' end
if redemption or (HAS_ACTED and owner) then
  move('at', ARGV[1], 'lease', '0', 'redemption', redemption or attempt)
  redis.call('HDEL', ENTRY, 'attempt')
else
  move('at', ARGV[1], 'state', 'issued')
  redis.call('HDEL', ENTRY, 'attempt', 'owner', 'lease', 'redemption')
end
return 'released'`

/**
 * The third argument is the owner. Answers the owner only: the first attempt, then names and values of the outcome and
 * of the mark of the request.
 */
export const RECALL = `
if not state or family or owner ~= ARGV[3] then return {} end
if state ~= 'redeeming' and state ~= 'redeemed' then return {} end
local answer = { redemption or attempt }
local outcome = outcome_until and tonumber(outcome_until) >= NOW and redis.call('GET', OUTCOME)
if outcome then answer = { answer[1], 'outcome', outcome } end
if request then
  answer[#answer + 1] = 'request'
  answer[#answer + 1] = request
end
return answer`
