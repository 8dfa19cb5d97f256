/** Bound 4: a whole stack of security headers, rate limit and guard, against helmet, express-rate-limit and fast-jwt. */
import { compare, preparedOnce } from '../http-load.mjs'
import { keysFor } from '../our-keys.mjs'

export async function run() {
  return [
    ...(await stacks('repeated key', () => preparedOnce(oneKey))),
    ...(await stacks('new key', () => fresh)),
  ]
}

function stacks(kind, newPreparation) {
  const candidate = (name, title) => ({
    program: './stack-app.mjs',
    name,
    label: `${title}, ${kind}`,
    request: telemetry,
    prepare: newPreparation(),
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

/** One key for all requests. Prepare it once, because the garbage of other keys would slow the requests down. */
export async function oneKey(send) {
  const keys = await fresh(send)
  return keys.map(() => keys[0])
}
