/*
 * What follows `find()` in the scripts of a claim. Of the fields of an entry, `attempt` says who has the claim; `holder`
 * and `lease` who may take it over and from when; `redemption`, the attempt that claimed first, is there only once
 * another took the claim over; `sealed` is until when the outcome may be read, if it was kept.
 */

/** With a sixth and a seventh argument: the holder, and when the lease ends. */
export const REDEEM = `
local attempt, holder, lease = ARGV[5], ARGV[6], ARGV[7]
local entry = find()
if not entry then return 'unknown' end
if entry.state == 'redeeming' and entry.call == CALL then return entry.redemption and 'resumed' or 'reserved' end
if entry.state == 'redeeming' and holder and entry.holder == holder and NOW >= tonumber(entry.lease) then
  move(entry['until'], 'attempt', attempt, 'lease', lease, 'redemption', entry.redemption or entry.attempt)
  return 'resumed'
end
if entry.state ~= 'issued' then return entry.state end
local held = holder and { 'holder', holder, 'lease', lease } or {}
move(entry['until'], 'state', 'redeeming', 'attempt', attempt, 'first', entry.first or ARGV[1], unpack(held))
return 'reserved'`

/**
 * From the seventh argument on: names and values of what is kept of the redemption. The outcome is what takes memory, so
 * it is written first, where Redis refuses it when there is no room: the redemption is kept without it. It has no time
 * of grace: it is gone when the record's own time is over.
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
  if answer == 'settled' then kept = { 'sealed', entry['until'] } elseif answer ~= 'full' then return answer end
end
for _, name in ipairs({ 'brought', 'request' }) do
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
 * With a sixth argument: only if the claim is the one that call made, of which its caller was not told. One that had
 * been taken over stays, with its lease over: whoever had it before may have acted, so the key is not issued again, and
 * only the same holder takes the claim over. With a seventh argument any stays that has a holder.
 */
export const RELEASE = `
local entry = find()
if not entry then return 'unknown' end
if entry.state == 'revoked' then return 'revoked' end
if entry.call == CALL then return 'released' end
if entry.state ~= 'redeeming' or entry.attempt ~= ARGV[5] then return 'lost' end
if ARGV[6] and ARGV[6] ~= '' and entry.call ~= ARGV[6] then return 'lost' end
if entry.redemption or (ARGV[7] and entry.holder) then
  move(entry['until'], 'lease', '0', 'redemption', entry.redemption or entry.attempt)
  redis.call('HDEL', ENTRY, 'attempt')
else
  move(entry['until'], 'state', 'issued')
  redis.call('HDEL', ENTRY, 'attempt', 'holder', 'lease', 'redemption')
end
return 'released'`

/** Answers the attempt that reserved first, then names and values: the outcome and the mark of the request; nothing to who does not hold the claim. */
export const RECALL = `
local entry = find()
if not entry or entry.family or entry.holder ~= ARGV[5] then return {} end
if entry.state ~= 'redeeming' and entry.state ~= 'redeemed' then return {} end
local outcome = entry.sealed and tonumber(entry.sealed) >= NOW and redis.call('GET', OUTCOME)
local answer = { entry.redemption or entry.attempt }
for name, value in pairs({ outcome = outcome or nil, request = entry.request or nil }) do
  answer[#answer + 1] = name
  answer[#answer + 1] = value
end
return answer`
