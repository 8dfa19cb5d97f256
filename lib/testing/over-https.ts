import { createServer, type IncomingHttpHeaders, type RequestListener, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseObject } from '../base/object.js'
import { aFunction, parse } from '../base/schema.js'

/**
 * The app under test: an Express app, or any other function that handles requests.
 *
 * @example
 * const underTest: TestApp = app
 */
export type TestApp = RequestListener

/** Reads an app. A server would get the request of a test from nobody. */
export const readApp = aFunction<TestApp>('the Express app or another request listener, and not its server')

/**
 * An app for which every request counts as a request over HTTPS.
 *
 * @example
 * const secure: HttpsApp = overHttps(app)
 */
export interface HttpsApp extends TestApp {
  /** The app itself, which gets plain HTTP. */
  readonly cleartext: TestApp
}

/**
 * Lets an app answer as if each request came over HTTPS. Give the result to `supertest()`, which needs no certificate then.
 * Express, its sessions and this library look only at the connection, so the app itself needs no change.
 *
 * @throws ConfigurationError if the app is no function, such as a server
 *
 * @example
 * import request from 'supertest'
 *
 * async function ask(key: string) {
 *   await request(overHttps(app)).get('/devices').set('Authorization', `Bearer ${key}`).expect(200)
 * }
 */
export function overHttps(app: TestApp): HttpsApp {
  parse(readApp, app, 'app')
  const handle: TestApp = (req, res) => {
    // Express reads this member of a connection (`req.secure`). A TLS connection has it.
    Object.defineProperty(req.socket, 'encrypted', { value: true, configurable: true })
    app(req, res)
  }
  return Object.assign(handle, { cleartext: app })
}

/** The app without `overHttps()`. */
export function inCleartext(app: TestApp | HttpsApp): TestApp {
  parse(readApp, app, 'app')
  return 'cleartext' in app ? app.cleartext : app
}

/** A request of the kit. */
export interface TestRequest {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | undefined
}

/** An answer of the app under test. */
export interface TestAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

const LONGEST_MILLISECONDS = 10_000

/** Sends a request to an app, through a server of its own on a free port of this machine. */
export async function send(app: TestApp, { method, path, headers, body }: TestRequest): Promise<TestAnswer> {
  const server = createServer(app)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const signal = AbortSignal.timeout(LONGEST_MILLISECONDS)
  try {
    return await new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, method, path, agent: false, signal } as const
      const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
      const sent = request({ ...options, headers: { ...length, ...headers } }, (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk)).once('error', reject)
        answer.once('end', () => {
          const text = Buffer.concat(chunks).toString()
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text })
        })
      })
      sent.once('error', reject).end(body)
    })
  } catch (cause) {
    const what = signal.aborted
      ? `did not answer in ${LONGEST_MILLISECONDS / 1000} seconds`
      : 'closed the connection'
    throw new Error(`The app ${what}: ${method} ${path.replace(/\?.*/s, '')}`, { cause })
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

/** The members of a JSON answer; none if it is something else. */
export function membersOf({ text }: TestAnswer): Readonly<Record<string, unknown>> {
  return parseObject(text) ?? {}
}
