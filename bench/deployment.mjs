import { once } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request } from 'node:https'
import { connect } from 'node:tls'
import express from 'express'
import { generate } from 'selfsigned'
import { dpopProof } from './dpop-proof.mjs'
import { issue, ORIGIN, ourKeys } from './our-keys.mjs'

/** A deployment in this process, over HTTPS, without rate limits, and with one observer. `mount` adds routes. */
export async function deploy(options = {}, mount = () => undefined) {
  let events = 0
  const observer = () => {
    events += 1
  }
  const keys = ourKeys(['read'], { observer, ...options })
  const app = express().use(keys.router())
  mount(app, keys)
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }])
  const server = createServer({ key, cert }, app).listen(0, '127.0.0.1')
  // It must not close the connection while a round runs that does not use it.
  server.keepAliveTimeout = 0
  await once(server, 'listening')
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: cert })
  const { port } = server.address()
  const socket = await serverSocketOf(server, { port, ca: cert })
  const response = Object.create(app.response, { end: { value: refused } })
  return {
    keys,
    /** Sends a GET request. */
    get: (path) => get({ agent: new Agent({ ca: cert }), port, host: 'localhost', path }),
    events: () => events,
    /** Asks for a key. With `pair`, the key is bound to that pair of keys. */
    async issue(pair) {
      const url = `${ORIGIN}/oauth/token`
      const proof = pair && { DPoP: dpopProof(pair, 'ES256', { method: 'POST', url }) }
      return tokenOf(await send({ agent, port }, proof))
    },
    /** A request and a response as Express hands them to a middleware. */
    exchange: (headers) => exchange(app, { socket, response }, headers),
    close() {
      agent.destroy()
      socket.destroy()
      server.close()
    },
  }
}

function send({ agent, port }, headers) {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: 'localhost',
      port,
      agent,
      method: 'POST',
      path: issue.path,
      headers: { ...issue.headers(), ...headers },
    })
    sent.on('error', reject).on('response', async (response) => {
      const chunks = await response.toArray()
      resolve(Buffer.concat(chunks).toString())
    })
    sent.end(`${issue.body()}&requested_expiry=900`)
  })
}

async function get(options) {
  const [response] = await once(request(options).end(), 'response')
  if (response.statusCode !== 200) throw new Error(`${options.path}: ${response.statusCode}`)
  return response
}

function tokenOf(text) {
  const { access_token } = JSON.parse(text)
  if (access_token === undefined) throw new Error(`no key: ${text}`)
  return access_token
}

/** The server's end of a connection that stays open. */
async function serverSocketOf(server, { port, ca }) {
  const client = connect({ port, ca, host: 'localhost' })
  const [socket] = await once(server, 'secureConnection')
  socket.once('close', () => client.destroy())
  return socket
}

function refused() {
  throw new Error(`the request is refused with ${this.statusCode}`)
}

function exchange(app, { socket, response }, headers) {
  const req = new IncomingMessage(socket)
  req.method = 'GET'
  req.url = req.originalUrl = '/telemetry'
  req.httpVersionMajor = req.httpVersionMinor = 1
  const lines = ['Host', 'api.example.com', ...Object.entries(headers).flat()]
  req._addHeaderLines(lines, lines.length) // as Node's parser does
  req.complete = true
  const res = new ServerResponse(req)
  req.res = res
  res.req = req
  Object.setPrototypeOf(req, app.request)
  Object.setPrototypeOf(res, response)
  return { req, res }
}
