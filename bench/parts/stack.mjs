/** Bound 4: a whole stack of security headers, rate limit and guard, against helmet, express-rate-limit and fast-jwt. */
import { compare } from '../http-load.mjs'
import { SECRET } from '../stack-app.mjs'

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

const issue = {
  path: '/oauth/token',
  status: 200,
  headers: () => ({
    Authorization: `Basic ${Buffer.from(`bench:${SECRET}`).toString('base64')}`,
    'Content-Type': 'application/x-www-form-urlencoded',
  }),
  body: () => 'grant_type=client_credentials&requested_expiry=900',
}

/** A new key for each request. */
export async function fresh(send) {
  return (await send(issue)).map(({ text }) => JSON.parse(text).access_token)
}

/** One key for all requests of a round. It was presented before. */
async function repeated(send) {
  const [key, ...others] = await fresh(send)
  return others.concat(key).map(() => key)
}
