/** Bound 4: a whole stack of security headers, rate limit and guard, against helmet, express-rate-limit and fast-jwt. */
import { compare } from '../http-load.mjs'
import { keysFor } from '../our-keys.mjs'

export async function run() {
  return [...(await stacks('repeated key', repeated)), ...(await stacks('new key', fresh))]
}

function stacks(kind, prepare) {
  const candidate = (name, title) => ({
    program: './stack-app.mjs',
    name,
    label: `${title}, ${kind}`,
    request: telemetry,
    prepare,
  })
  return compare(
    {
      ours: candidate('ours', 'our stack'),
      fast: candidate('fast', 'fast-jwt stack'),
      limit: candidate('limit', 'minimal app'),
      bare: candidate('bare', 'bare Express'),
    },
    [
      { name: `our stack, ${kind} / fast-jwt stack`, ours: 'ours', peer: 'fast', least: 0.95 },
      { name: `our stack, ${kind} / fast-jwt stack: slowest 1 %`, ours: 'ours', peer: 'fast', of: 'p99' },
      { name: `our stack, ${kind} / bare Express`, ours: 'ours', peer: 'bare' },
      { name: `fast-jwt stack, ${kind} / bare Express`, ours: 'fast', peer: 'bare' },
      { name: `our stack, ${kind} / minimal app`, ours: 'ours', peer: 'limit' },
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
