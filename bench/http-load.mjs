/**
 * Measures Express apps that run in processes of their own, behind a proxy that ends TLS. The cost of a round is the
 * processor time that the process has used for it, so a busy machine changes little.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { alternate, line, ratios } from './measure.mjs'

const ROUNDS = { rounds: 25, warmUp: 40 }
/** Requests in a round, and the connections that send them. */
export const COUNT = 200
const CONNECTIONS = 4

/**
 * Measures candidates in turn, and compares two of them in each line. With `least`, a line is the throughput of `ours`,
 * as a share of that of `peer`. With `most`, it is the cost. `of` is `cpu` (default) or `p99`. A candidate with a `label`
 * has this label in the table.
 */
export async function compare(candidates, comparisons) {
  const apps = {}
  for (const [name, candidate] of Object.entries(candidates)) apps[name] = await start(candidate)
  const rounds = await alternate(
    ROUNDS,
    Object.fromEntries(Object.entries(apps).map(([name, app]) => [name, app.round])),
  )
  for (const app of Object.values(apps)) app.close()
  const costs = (name, of) => rounds[name].map((round) => round[of])
  return [
    ...comparisons.map(({ name, ours, peer, of = 'cpu', least, most }) => {
      const [own, other] = [costs(ours, of), costs(peer, of)]
      return most === undefined
        ? line(name, 'x', ratios(other, own), { least })
        : line(name, 'x', ratios(own, other), { most })
    }),
    ...Object.entries(candidates).map(([name, { label = name }]) =>
      line(`  ${label}`, 'us', costs(name, 'cpu')),
    ),
  ]
}

/** `request` is sent in each round. `prepare` sends other requests before, and their keys go into `request`. */
export async function start({ program, name, request, prepare }) {
  const child = fork(new URL(program, import.meta.url), [name], { execArgv: ['--expose-gc'] })
  const ask = async (question) => {
    child.send(question)
    return (await once(child, 'message'))[0]
  }
  const [{ port, initialAccessToken }] = await once(child, 'message')
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => Connection.open(port)))
  const unprepared = Array.from({ length: COUNT }, () => initialAccessToken)
  return {
    memory: () => ask('memory'),
    async round() {
      const prepared = await prepare?.((form) => sendAll(connections, form, unprepared))
      const before = await ask('cpu')
      const answers = await sendAll(connections, request, prepared ?? unprepared)
      const cpu = ((await ask('cpu')) - before) / COUNT
      const latencies = answers.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b)
      return { cpu, p99: latencies[Math.floor(0.99 * COUNT)] }
    },
    close() {
      for (const connection of connections) connection.close()
      child.disconnect()
    },
  }
}

/** A preparation that sends its requests before the first round only. */
export function preparedOnce(prepare) {
  let prepared
  return (send) => {
    prepared ??= prepare(send)
    return prepared
  }
}

async function sendAll(connections, { method = 'POST', path, status, headers, body }, tokens) {
  const requests = tokens.map((token) => {
    const content = body(token)
    const fields = { Host: 'api.example.com', 'X-Forwarded-Proto': 'https', ...headers(token) }
    const lines = Object.entries({ ...fields, 'Content-Length': Buffer.byteLength(content) })
    const head = lines
      .flatMap(([name, values]) => [values].flat().map((one) => `${name}: ${one}\r\n`))
      .join('')
    return `${method} ${path} HTTP/1.1\r\n${head}\r\n${content}`
  })
  const answers = []
  await Promise.all(
    connections.map(async (connection) => {
      while (requests.length > 0) answers.push(await connection.send(requests.pop(), status))
    }),
  )
  return answers
}

/** A connection that stays open. It costs little, because the cores are shared with the server. */
class Connection {
  #socket
  #text = ''
  #receive
  #fail = () => undefined

  static async open(port) {
    const connection = new Connection()
    connection.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    connection.#socket.setEncoding('latin1').on('data', (text) => connection.#read(text))
    // Otherwise the round would wait for ever.
    connection.#socket.once('close', () => connection.#fail(new Error('the app has closed the connection')))
    await once(connection.#socket, 'connect')
    return connection
  }

  async send(request, status) {
    const start = performance.now()
    const text = await new Promise((resolve, reject) => {
      this.#receive = resolve
      this.#fail = reject
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
