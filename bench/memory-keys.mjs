// Fills a memory store, for bench/parts/memory.mjs and bench/memory-app.mjs.
import { randomBytes } from 'node:crypto'

const TERMS = '"audience":"https://api.example.com","scope":["provision:bind","devices:read"]'

/**
 * Records keys of some clients, that have ended `endsIn` seconds after `now` at the latest.
 *
 * @param ends over how many seconds the ends are spread
 * @param networkOf the network that a client asks from
 */
export async function fill(
  store,
  { count, clients, now, endsIn = 3_600, ends = 300, redeemed = false, networkOf = oneNetwork },
) {
  for (let i = 0; i < count; i += 1) {
    const key = keyOf(i % clients, now + endsIn - (i % ends), networkOf)
    const outcome = store.record(key, { outstanding: Number.POSITIVE_INFINITY })
    // The store decides without waiting. To await each answer would only take time.
    if (i % 1_000 === 0 && (await outcome) !== 'recorded') throw new Error(`record answered ${await outcome}`)
    if (redeemed) await redeem(store, key)
  }
}

function oneNetwork() {
  return '203.0.113.0/24'
}

/** Each request brings texts of its own, as a parser makes them: no two keys share a string. */
export function keyOf(client, retainUntil, networkOf = oneNetwork) {
  const clientId = `device-${String(client).padStart(7, '0')}`
  const names = `"clientId":"${clientId}","subject":"${clientId}","jti":"${newId()}"`
  const times = `"issuedAt":${retainUntil - 305},"expiresAt":${retainUntil - 5},"retainUntil":${retainUntil}`
  const origin = `"issuedTo":"${networkOf(client)}","issuedToAgent":"NzbLsXh8uDCcd-6M"`
  return JSON.parse(`{${names},${times},${origin},${TERMS}}`)
}

/** Each client has its own network. */
export function ipv4NetworkOf(client) {
  return `${100 + (client >> 16)}.${(client >> 8) % 256}.${client % 256}.0/24`
}

/** Each client has its own network. */
export function ipv6NetworkOf(client) {
  return `2a0${(client >> 16).toString(16)}:${(client % 65_536).toString(16)}:ffff::/48`
}

async function redeem(store, key) {
  const attempt = newId()
  await store.redeem(key, attempt)
  await store.settle(key, attempt, key.retainUntil + 600)
}

const random = { bytes: Buffer.alloc(0), used: 0 }

/** 128 random bits. They are made in advance, since one call for each key would take longer than all the rest. */
function newId() {
  if (random.used === random.bytes.length) Object.assign(random, { bytes: randomBytes(16 * 4_096), used: 0 })
  random.used += 16
  return random.bytes.toString('base64url', random.used - 16, random.used)
}
