import { MOST_NETWORKS } from '../../ports/monitoring-store.js'
import { LOCKS_IN } from './redis-lock-scripts.js'

/** The fields of the entry that `find` reads, besides those that all scripts read. */
export const FIND_FIELDS = 'family scope aud exp at first cnf digest family_client seen'

/**
 * It does what ENTRY and FAMILY do, and reads the locks along, without a function: it is the script that runs most often.
 * It answers a JSON text, because client libraries read one text faster than a list: it saves 18 %. Of all locks it
 * answers the strongest one, or else the longest one.
 */
export const FIND = `
if not state or tonumber(ends) < NOW then return 'unknown' end
local client, lock = ARGV[2], nil
local everybody, own, its, own_lock, its_lock
if client == sub then
  everybody, own, own_lock = unpack(redis.call('HMGET', KEYS[2], '*', '=' .. sub, 'lock=' .. sub))
else
  everybody, own, its, own_lock, its_lock = unpack(
    redis.call('HMGET', KEYS[2], '*', '=' .. client, '=' .. sub, 'lock=' .. client, 'lock=' .. sub))
end
if everybody or own or its then
  local at = tonumber(iat)
  local function is_since(time) return time and at <= tonumber(time) end
  if state ~= 'revoked' and (is_since(everybody) or is_since(own) or is_since(its)) then
    if state == 'redeemed' then family = 'revoked' else state = 'revoked' end
  end
end
if own_lock or its_lock then${LOCKS_IN}
  local own_locks, its_locks = locks_in(own_lock), locks_in(its_lock)
  for kind = 1, 3 do
    local one, other = own_locks[kind], its_locks[kind]
    if one and other and other.last > one.last then one = other end
    one = one or other
    if one then lock = one.text end
  end
end
return cjson.encode({ state, family, sub, scope, aud, iat, exp, ends, at, first, cnf, digest, family_client, seen, lock })`

/**
 * The fourth argument is the network, as `seen` has it. The first two words of `seen` belong to the issuance. Answers a
 * word and the number of networks.
 */
export const NOTE_PRESENTATION = `
if not state then return 'unknown 0' end
local words = {}
for word in string.gmatch(seen or ', ,', '%S+') do words[#words + 1] = word end
if noted == CALL then return 'noted ' .. #words - 2 end
local network = words[1] == ARGV[4] and '=' or ARGV[4]
for i = 3, #words do
  if words[i] == network then return 'known ' .. #words - 2 end
end
if #words - 2 >= ${MOST_NETWORKS} then return 'full ' .. #words - 2 end
words[#words + 1] = network
redis.call('HSET', ENTRY, 'seen', table.concat(words, ' '), 'noted', CALL)
return 'noted ' .. #words - 2`
