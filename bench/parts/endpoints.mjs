/**
 * Bound 5: the CPU time of a request at our endpoints, against what no server can avoid and against oidc-provider.
 *
 * Each candidate is an Express app in its own process, behind a proxy that ends TLS. The cost of a round is the CPU time
 * that this process has used for it, so a busy machine changes little.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { EXCHANGE_TYPE, SECRET } from '../endpoint-app.mjs'
import { alternate, line, ratios } from '../measure.mjs'

const ROUNDS = { rounds: 25, warmUp: 12 }
/** Requests in a round, and the connections that send them. */
const COUNT = 200
const CONNECTIONS = 4

export async function run() {
  const lines = []
  for (const part of [issuance, registration, exchange, redemption]) lines.push(...(await part()))
  return lines
}

async function issuance() {
  return measure(
    {
      ours: ['ours', issue],
      limit: ['raw', issue],
      peer: ['provider', { ...issue, path: '/token' }],
    },
    [
      ['issue, of a bare handler', 'ours', 'limit', 0.75],
      ['issue, of oidc-provider', 'ours', 'peer', 1.15],
      ['issue: p99, of oidc-provider', 'ours', 'peer'],
    ],
  )
}

async function registration() {
  return measure(
    { ours: ['ours', register, keysFor('provision:register')], peer: ['provider', peerRegister] },
    [
      ['register, of oidc-provider', 'ours', 'peer', 1],
      ['register: p99, of oidc-provider', 'ours', 'peer'],
    ],
  )
}

async function exchange() {
  return measure(
    {
      ours: ['ours', exchangeAt('/oauth/token'), keysFor('read provision:token')],
      limit: ['raw', exchangeAt('/oauth/exchange'), keysFor('read')],
    },
    [['exchange, of a bare handler', 'ours', 'limit', 0.75]],
  )
}

async function redemption() {
  return measure(
    {
      route: ['ours', redeemAt('/devices'), keysFor('read')],
      returned: ['ours', redeemAt('/returned'), keysFor('read')],
      limit: ['raw', redeemAt('/devices'), keysFor('read')],
    },
    [
      ['redeem in a route, of a bare handler', 'route', 'limit', 0.65],
      ['redeem and return, of a bare handler', 'returned', 'limit', 0.7],
    ],
  )
}

/** A request: its path, its status on success, and its headers and body, which can depend on a key. */
const issue = {
  path: '/oauth/token',
  status: 200,
  headers: () => ({
    Authorization: `Basic ${Buffer.from(`bench:${SECRET}`).toString('base64')}`,
    'Content-Type': 'application/x-www-form-urlencoded',
  }),
  body: () => 'grant_type=client_credentials&scope=read',
}

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

/** Issues a key for each request of the next round. */
const keysFor = (scope) => ({
  ...issue,
  body: () => `grant_type=client_credentials&requested_expiry=900&scope=${encodeURIComponent(scope)}`,
})

/** Measures candidates in turn. Each line compares two of them: the CPU time, or p99 without a bound in its entry. */
async function measure(candidates, comparisons) {
  const apps = {}
  for (const [name, candidate] of Object.entries(candidates)) apps[name] = await start(...candidate)
  const rounds = await alternate(
    ROUNDS,
    Object.fromEntries(Object.entries(apps).map(([name, app]) => [name, app.round])),
  )
  for (const app of Object.values(apps)) app.close()
  const of = (name, member) => rounds[name].map((round) => round[member])
  return [
    ...comparisons.map(([title, own, other, least]) =>
      least === undefined
        ? line(title, 'x', ratios(of(own, 'p99'), of(other, 'p99')), { most: 1 })
        : line(title, 'x', ratios(of(other, 'cpu'), of(own, 'cpu')), { least }),
    ),
    ...Object.keys(apps).map((name) => line(`  ${name}`, 'us', of(name, 'cpu'))),
  ]
}

async function start(candidate, request, preparation) {
  const child = fork(new URL('../endpoint-app.mjs', import.meta.url), [candidate])
  const ask = async () => {
    child.send('cpu')
    return (await once(child, 'message'))[0]
  }
  const [{ port, initialAccessToken }] = await once(child, 'message')
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => Connection.open(port)))
  const unprepared = Array.from({ length: COUNT }, () => initialAccessToken)
  return {
    async round() {
      const prepared = preparation && (await sendAll(connections, preparation, unprepared)).map(tokenOf)
      const before = await ask()
      const answers = await sendAll(connections, request, prepared ?? unprepared)
      const cpu = ((await ask()) - before) / COUNT
      const latencies = answers.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b)
      return { cpu, p99: latencies[Math.floor(0.99 * COUNT)] }
    },
    close() {
      for (const connection of connections) connection.close()
      child.disconnect()
    },
  }
}

async function sendAll(connections, { path, status, headers, body }, tokens) {
  const requests = tokens.map((token) => {
    const content = body(token)
    const fields = { Host: 'api.example.com', 'X-Forwarded-Proto': 'https', ...headers(token) }
    const lines = Object.entries({ ...fields, 'Content-Length': Buffer.byteLength(content) })
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    return `POST ${path} HTTP/1.1\r\n${head}\r\n${content}`
  })
  const answers = []
  await Promise.all(
    connections.map(async (connection) => {
      while (requests.length > 0) answers.push(await connection.send(requests.pop(), status))
    }),
  )
  return answers
}

const tokenOf = ({ text }) => JSON.parse(text).access_token

/** A connection that stays open. It costs little, because the cores are shared with the server. */
class Connection {
  #socket
  #text = ''
  #receive

  static async open(port) {
    const connection = new Connection()
    connection.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    connection.#socket.setEncoding('latin1').on('data', (text) => connection.#read(text))
    await once(connection.#socket, 'connect')
    return connection
  }

  async send(request, status) {
    const start = performance.now()
    const text = await new Promise((resolve) => {
      this.#receive = resolve
      this.#socket.write(request)
    })
    const milliseconds = performance.now() - start
    if (!text.startsWith(`HTTP/1.1 ${status} `)) throw new Error(`expected ${status}, got ${text}`)
    return { milliseconds, text: text.slice(text.indexOf('\r\n\r\n') + 4) }
  }

  close() {
    this.#socket.destroy()
  }

  #read(text) {
    this.#text += text
    const end = this.#text.indexOf('\r\n\r\n')
    if (end === -1) return
    const [, length = Number.NaN] = /\r\ncontent-length: (\d+)/i.exec(this.#text) ?? []
    const chunked = Number.isNaN(length) && this.#text.endsWith('0\r\n\r\n')
    if (!chunked && !(this.#text.length >= end + 4 + Number(length))) return
    const answer = this.#text
    this.#text = ''
    this.#receive(answer)
  }
}
