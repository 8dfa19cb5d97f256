import { MOST_ACTIONS, MOST_FINDINGS, MOST_SAMPLES, SEVERITIES } from '../../ports/monitoring-store.js'

/*
 * The scripts of findings. FINDINGS is a hash: a JSON text for each finding, under `=` and its id, and the mark of the
 * call that closed a finding last, under `#`. Three sorted sets of ids belong to it: the findings with bound evidence and
 * those with unbound evidence by severity and `lastAt`, and all findings by `until`.
 *
 * Numbers are texts in the JSON, because Lua would print them with 14 digits.
 */

const KEYS = `
local FINDINGS, GROUPS, ENDS = KEYS[1], { bound = KEYS[2], unbound = KEYS[3] }, KEYS[4]
local ID, CALL = ARGV[2], ARGV[3]
local function living()
  local text = redis.call('HGET', FINDINGS, '=' .. ID)
  local finding = text and cjson.decode(text)
  return finding and tonumber(finding['until']) >= NOW and finding or nil
end
local function forget(id)
  redis.call('ZREM', GROUPS.bound, id)
  redis.call('ZREM', GROUPS.unbound, id)
  redis.call('ZREM', ENDS, id)
  redis.call('HDEL', FINDINGS, '=' .. id)
end`

/** How many calls of a finding are known by their marks, so that a call that is sent twice counts once. */
const KNOWN_CALLS = 8

/** Above each time, so that the severity comes first. */
const RANK = 100_000_000_000

const MERGE = `
local RANKS = { ${SEVERITIES.map((severity, rank) => `${severity} = ${rank}`).join(', ')} }
local function has(list, text)
  for _, one in ipairs(list) do if one == text then return true end end
  return false
end
-- The place in its group, of which the lowest makes room: by severity, and then by time.
local function place_of(finding)
  local time = math.max(0, math.min(tonumber(finding.lastAt), ${RANK} - 1))
  return string.format('%.17g', RANKS[finding.severity] * ${RANK} + time)
end
local function later(one, other) return tonumber(other) > tonumber(one) and other or one end
local function merge(finding, report)
  finding.count = string.format('%.0f', tonumber(finding.count) + tonumber(report.count))
  finding.firstAt = tonumber(report.firstAt) < tonumber(finding.firstAt) and report.firstAt or finding.firstAt
  finding.lastAt = later(finding.lastAt, report.lastAt)
  finding['until'] = later(finding['until'], report['until'])
  if RANKS[report.severity] > RANKS[finding.severity] then finding.severity = report.severity end
  if report.evidence == 'bound' then finding.evidence = 'bound' end
  for _, action in ipairs(report.actions) do
    if #finding.actions < ${MOST_ACTIONS} and not has(finding.actions, action) then
      finding.actions[#finding.actions + 1] = action
    end
  end
  for _, sample in ipairs(report.samples) do finding.samples[#finding.samples + 1] = sample end
  while #finding.samples > ${MOST_SAMPLES} do table.remove(finding.samples, 1) end
end`

/**
 * The fourth argument is the report. Answers `opened` or `changed`, and the finding. It writes the finding first: a full
 * Redis refuses this write, and then nothing is changed.
 */
const NOTE = `
local report, finding = cjson.decode(ARGV[4]), living()
if finding and has(finding.calls, CALL) then
  return (finding.openedBy == CALL and 'opened ' or 'changed ') .. cjson.encode(finding)
end
local is_opened = not finding
if finding then
  merge(finding, report)
else
  finding = report
  finding.calls, finding.openedBy = {}, CALL
end
finding.calls[#finding.calls + 1] = CALL
if #finding.calls > ${KNOWN_CALLS} then table.remove(finding.calls, 1) end
local text = cjson.encode(finding)
redis.call('HSET', FINDINGS, '=' .. ID, text)
local group = GROUPS[finding.evidence]
if finding.evidence == 'bound' then redis.call('ZREM', GROUPS.unbound, ID) end
redis.call('ZADD', group, place_of(finding), ID)
redis.call('ZADD', ENDS, finding['until'], ID)
for _, stale in ipairs(redis.call('ZRANGEBYSCORE', ENDS, '-inf', '(' .. ARGV[1])) do forget(stale) end
if redis.call('ZCARD', group) > ${MOST_FINDINGS} then
  local least = redis.call('ZRANGE', group, 0, 1)
  forget(least[1] == ID and least[2] or least[1])
end
local latest = redis.call('ZREVRANGE', ENDS, 0, 0, 'WITHSCORES')[2]
for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], ttl(latest)) end
return (is_opened and 'opened ' or 'changed ') .. text`

const CLOSE = `
if not living() then return redis.call('HGET', FINDINGS, '#') == CALL and 'closed' or 'unknown' end
redis.call('ZREM', ENDS, ID)
redis.call('HSET', FINDINGS, '#', CALL)
forget(ID)
return 'closed'`

const ALL = `
local texts, fields = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if fields[i] ~= '#' then texts[#texts + 1] = fields[i + 1] end
end
return texts`

/** The parts of each script, after NOW and TTL. */
export const FINDING_SCRIPTS = { note: [KEYS, MERGE, NOTE], close: [KEYS, CLOSE], all: [ALL] } as const
