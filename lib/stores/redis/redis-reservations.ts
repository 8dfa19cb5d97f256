/*
 * The scripts of a reservation. They follow the code of `TIME` and `ENTRY` in redis-scripts.ts, which also explains the
 * fields of an entry.
 */

/** The fifth argument is the attempt. A sixth and a seventh one are its owner, and the end of the lease. */
export const REDEEM = `
local attempt, owner, lease = ARGV[5], ARGV[6], ARGV[7]
local entry = find()
if not entry then return 'unknown' end
if entry.state == 'redeeming' and entry.call == CALL then return entry.redemption and 'resumed' or 'reserved' end
if entry.state == 'redeeming' and owner and entry.owner == owner and NOW >= tonumber(entry.lease) then
  move(entry['until'], 'attempt', attempt, 'lease', lease, 'redemption', entry.redemption or entry.attempt)
  return 'resumed'
end
if entry.state ~= 'issued' then return entry.state end
local owned = owner and { 'owner', owner, 'lease', lease } or {}
move(entry['until'], 'state', 'redeeming', 'attempt', attempt, 'first', entry.first or ARGV[1], unpack(owned))
return 'reserved'`

/**
 * The fifth and the sixth argument are the attempt and `retainUntil`. From the seventh one on: names and values of the
 * settlement. The outcome is written first, because it needs
 * memory: if there is no room, Redis refuses this write, and the key is redeemed without an outcome. The outcome ends
 * exactly with the time of the record itself.
 */
export const SETTLE = `
local last, given, kept = ARGV[6], {}, {}
for i = 7, #ARGV, 2 do given[ARGV[i]] = ARGV[i + 1] end
local entry = find()
if not entry then return 'unknown' end
if entry.state == 'revoked' then return 'revoked' end
if entry.state == 'redeemed' and entry.call == CALL then return 'settled' end
if entry.state ~= 'redeeming' or entry.attempt ~= ARGV[5] then return 'lost' end
if given.outcome then
  local left = string.format('%.0f', math.max(1, math.floor((tonumber(entry['until']) - NOW) * 1000)))
  local answer = answered(redis.pcall('SET', OUTCOME, given.outcome, 'PX', left), 'settled')
  if answer == 'settled' then kept = { 'outcome_until', entry['until'] } elseif answer ~= 'full' then return answer end
end
for _, name in ipairs({ 'family_client', 'request' }) do
  if given[name] then
    kept[#kept + 1] = name
    kept[#kept + 1] = given[name]
  end
end
if tonumber(last) < tonumber(entry['until']) then last = entry['until'] end
redis.call('ZREM', OPEN, place(entry))
move(last, 'state', 'redeemed', 'until', last, unpack(kept))
return 'settled'`

/**
 * The fifth argument is the attempt. With a sixth argument: only if that call made the reservation. Its caller did not
 * get the answer.
 *
 * A resumed reservation stays, and its lease ends: an earlier attempt may have acted, so only the same owner may resume
 * it. With a seventh argument, any reservation with an owner stays.
 */
export const RELEASE = `
local entry = find()
if not entry then return 'unknown' end
if entry.state == 'revoked' then return 'revoked' end
if entry.call == CALL then return 'released' end
if entry.state ~= 'redeeming' or entry.attempt ~= ARGV[5] then return 'lost' end
if ARGV[6] and ARGV[6] ~= '' and entry.call ~= ARGV[6] then return 'lost' end
if entry.redemption or (ARGV[7] and entry.owner) then
  move(entry['until'], 'lease', '0', 'redemption', entry.redemption or entry.attempt)
  redis.call('HDEL', ENTRY, 'attempt')
else
  move(entry['until'], 'state', 'issued')
  redis.call('HDEL', ENTRY, 'attempt', 'owner', 'lease', 'redemption')
end
return 'released'`

/** Answers the owner only: the first attempt, then names and values of the outcome and of the mark of the request. */
export const RECALL = `
local entry = find()
if not entry or entry.family or entry.owner ~= ARGV[5] then return {} end
if entry.state ~= 'redeeming' and entry.state ~= 'redeemed' then return {} end
local outcome = entry.outcome_until and tonumber(entry.outcome_until) >= NOW and redis.call('GET', OUTCOME)
local answer = { entry.redemption or entry.attempt }
for name, value in pairs({ outcome = outcome or nil, request = entry.request or nil }) do
  answer[#answer + 1] = name
  answer[#answer + 1] = value
end
return answer`
