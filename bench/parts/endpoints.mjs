/** Bound 5: the CPU time of a request at our endpoints, against what no server can avoid and against oidc-provider. */
import { EXCHANGE_TYPE } from '../endpoint-app.mjs'
import { compare } from '../http-load.mjs'
import { issue, keysFor } from '../our-keys.mjs'

export async function run() {
  const lines = []
  for (const part of [issuance, registration, exchange, redemption]) lines.push(...(await part()))
  return lines
}

function issuance() {
  return compare(
    {
      ours: { ...candidate('ours', issue), label: 'issue' },
      limit: { ...candidate('raw', issue), label: 'issue, minimal app' },
      peer: { ...candidate('provider', { ...issue, path: '/token' }), label: 'issue, oidc-provider' },
    },
    [
      { name: 'issue / minimal app', ours: 'ours', peer: 'limit', least: 0.75 },
      { name: 'issue / oidc-provider', ours: 'ours', peer: 'peer', least: 1.15 },
      { name: 'issue / oidc-provider: slowest 1 %', ours: 'ours', peer: 'peer', of: 'p99', most: 1 },
    ],
  )
}

function registration() {
  return compare(
    {
      ours: { ...candidate('ours', register, keysFor('provision:register')), label: 'register' },
      peer: { ...candidate('provider', peerRegister), label: 'register, oidc-provider' },
    },
    [
      { name: 'register / oidc-provider', ours: 'ours', peer: 'peer', least: 1 },
      { name: 'register / oidc-provider: slowest 1 %', ours: 'ours', peer: 'peer', of: 'p99', most: 1 },
    ],
  )
}

function exchange() {
  return compare(
    {
      ours: {
        ...candidate('ours', exchangeAt('/oauth/token'), keysFor('read provision:token')),
        label: 'exchange',
      },
      limit: {
        ...candidate('raw', exchangeAt('/oauth/exchange'), keysFor('read')),
        label: 'exchange, minimal app',
      },
    },
    [{ name: 'exchange / minimal app', ours: 'ours', peer: 'limit', least: 0.75 }],
  )
}

function redemption() {
  return compare(
    {
      route: { ...candidate('ours', redeemAt('/devices'), keysFor('read')), label: 'redeem in a route' },
      returned: {
        ...candidate('ours', redeemAt('/returned'), keysFor('read')),
        label: 'redeem, handler returns its answer',
      },
      limit: { ...candidate('raw', redeemAt('/devices'), keysFor('read')), label: 'redeem, minimal app' },
    },
    [
      { name: 'redeem in a route / minimal app', ours: 'route', peer: 'limit', least: 0.65 },
      {
        name: 'redeem, handler returns its answer / minimal app',
        ours: 'returned',
        peer: 'limit',
        least: 0.7,
      },
    ],
  )
}

/** A request: its path, its status on success, and its headers and body, which can depend on a key. */
const register = {
  path: '/oauth/register',
  status: 201,
  headers: (token) => ({ Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }),
  body: () =>
    JSON.stringify({
      client_name: 'Thermostat in the hall',
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_basic',
    }),
}

/** A registration at oidc-provider also has to name its response types, because others are the default. */
const peerRegister = {
  ...register,
  path: '/reg',
  body: () => JSON.stringify({ ...JSON.parse(register.body()), redirect_uris: [], response_types: [] }),
}

const exchangeAt = (path) => ({
  path,
  status: 200,
  headers: () => ({ 'Content-Type': 'application/x-www-form-urlencoded' }),
  body: (token) =>
    `${new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: token,
      subject_token_type: EXCHANGE_TYPE,
    })}`,
})

const redeemAt = (path) => ({
  path,
  status: 201,
  headers: (token) => ({ Authorization: `Bearer ${token}` }),
  body: () => '',
})

function candidate(name, request, prepare) {
  return { program: './endpoint-app.mjs', name, request, prepare }
}
