/*
 * The Lua functions that the scripts share. Each script includes only the functions that it calls, because Redis creates
 * them again for every call.
 *
 * Numbers are passed on as text, because Lua would print them with 14 digits. Each script decides before its first
 * write. At `maxmemory` Redis refuses the first write of a script if it needs memory, but no later write. So a script
 * that moves a key always succeeds, by `move` or a ZREM, and a script that adds a key is refused.
 */

export const NOW = `
local NOW = tonumber(ARGV[1])`

/** Redis keeps an entry for some seconds after its end. No verb finds it, except for a caller whose clock is behind. */
export const TTL = `
local GRACE_MILLISECONDS = 10000
local function ttl(last)
  return string.format('%.0f', math.ceil((tonumber(last) - NOW) * 1000) + GRACE_MILLISECONDS)
end`

export const ANSWERED = `
-- Only the error for a full memory becomes 'full'. The caller gets any other error.
local function answered(reply, answer)
  if type(reply) ~= 'table' or not reply.err then return answer end
  return string.find(reply.err, 'OOM', 1, true) and 'full' or reply
end`

/**
 * An entry is the hash of one provisioning key. Its fields:
 *
 * - `sub`, `scope`, `aud`, `iat`, `exp`, `cnf`: the record, by the names of the claims; `digest`: `claimsDigest`
 * - `until`: the end of the entry (`retainUntil`), `state`: its state, `at`: `changedAt`, `first`: `reservedAt`
 * - `attempt`: the attempt that has the reservation
 * - `owner`, `lease`: who may resume the reservation, and from when
 * - `redemption`: the first attempt, if another one has resumed the reservation
 * - `outcome_until`: until when the outcome may be read, if there is one
 * - `seen`: the network and the user agent of the issuance, and the networks of presentations; `noted`: the mark of the
 *   call that added one last
 * - `request`: the mark of the request, `family_client`: `familyClientId`, `family`: `revoked` if the family is revoked
 * - `call`: the mark of the call that wrote last. A call that is sent twice gets the same answer twice
 *
 * Each field that a script reads costs it 0.2 us. So this code reads the fields that all scripts need, and those in
 * `further`. They become local variables of the same names; `until` is a word of Lua, so its variable is `ends`.
 */
export function entryFields(further: string): string {
  const names = ['state', 'sub', 'iat', 'until', ...further.split(' ')]
  const variables = names.map((name) => (name === 'until' ? 'ends' : name)).join(', ')
  return `local ${variables} = unpack(redis.call('HMGET', KEYS[1], ${names.map((name) => `'${name}'`).join(', ')}))`
}

/**
 * It applies the revocations of NOT_BEFORE to `state`, which is false if the entry is unknown or expired. Field `*` of
 * NOT_BEFORE is the time for everybody, `=id` that of one identity, and `#` the mark of the last change. `lock=id` is the
 * lock of an identity: see redis-lock-scripts.ts.
 */
export const ENTRY = `
local ENTRY, NOT_BEFORE, CLIENT, CALL = KEYS[1], KEYS[2], ARGV[2], ARGV[3]
local client_lock, subject_lock
local function covered(subject, issued_at, reads_locks)
  local times
  if reads_locks then
    times = redis.call('HMGET', NOT_BEFORE, '*', '=' .. CLIENT, '=' .. subject, 'lock=' .. CLIENT, 'lock=' .. subject)
    client_lock, subject_lock = times[4], times[5]
  else
    times = redis.call('HMGET', NOT_BEFORE, '*', '=' .. CLIENT, '=' .. subject)
  end
  for i = 1, 3 do
    if times[i] and tonumber(issued_at) <= tonumber(times[i]) then return true end
  end
  return false
end
if state and tonumber(ends) < NOW then state = false end
local is_covered = state and state ~= 'revoked' and covered(sub, iat)
if is_covered and state ~= 'redeemed' then state = 'revoked' end`

/** For scripts that read `family`. */
export const FAMILY = `
if is_covered and state == 'redeemed' then family = 'revoked' end`

/**
 * Writes a change as the first write of its script. A full Redis refuses that, but not a HDEL, and then nothing more.
 * The expiry stays: a PEXPIRE for each change took 4 % of the time of a reservation.
 */
export const MOVE = `
local function move(...)
  local reply = redis.pcall('HSET', ENTRY, 'call', CALL, ...)
  if type(reply) == 'table' then
    redis.call('HDEL', ENTRY, 'no field')
    redis.call('HSET', ENTRY, 'call', CALL, ...)
  end
end`
