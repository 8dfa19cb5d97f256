/** Bound 4: a whole stack of security headers, rate limit and guard, against helmet, express-rate-limit and fast-jwt. */
import { compare } from '../http-load.mjs'
import { keysFor } from '../our-keys.mjs'

export async function run() {
  return [...(await stacks('repeated key', repeated)), ...(await stacks('fresh key', fresh))]
}

function stacks(kind, prepare) {
  const candidate = (name) => ({ program: './stack-app.mjs', name, request: telemetry, prepare })
  return compare(
    { ours: candidate('ours'), fast: candidate('fast'), limit: candidate('limit'), bare: candidate('bare') },
    [
      { name: `stack, ${kind}, of the fast-jwt stack`, ours: 'ours', peer: 'fast', least: 0.95 },
      { name: `stack, ${kind}: p99, of fast-jwt`, ours: 'ours', peer: 'fast', of: 'p99' },
      { name: `stack, ${kind}, of bare Express`, ours: 'ours', peer: 'bare' },
      { name: `fast-jwt, ${kind}, of bare Express`, ours: 'fast', peer: 'bare' },
      { name: `stack, ${kind}, of the limit`, ours: 'ours', peer: 'limit' },
    ],
  )
}

export const telemetry = {
  method: 'GET',
  path: '/telemetry',
  status: 200,
  headers: (token) => ({ Authorization: `Bearer ${token}` }),
  body: () => '',
}

/** A new key for each request. */
export const fresh = keysFor('read')

/** One key for all requests of a round. It was presented before. */
export async function repeated(send) {
  const [key, ...others] = await fresh(send)
  return others.concat(key).map(() => key)
}
