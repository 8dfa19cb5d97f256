import { type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Call } from './step'

/** How to verify the server's certificate. Without verification, the server must be on this machine. */
export type Trust = { readonly ca: string } | { readonly rejectUnauthorized: false }

/** How to reach a server. */
export interface Route {
  readonly trust: Trust
  /** The ports of this machine to connect to, instead of those in the URL. */
  readonly ports?: { readonly https: number; readonly http: number }
}

export interface Answer {
  readonly status: number
  readonly statusText: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The members of a JSON object; empty for other bodies. */
  readonly members: Readonly<Record<string, unknown>>
}

const TIMEOUT_MILLISECONDS = 10_000

/** The media type and the text of a call's body. */
function bodyOf({ form, json }: Call): readonly [type: string, text: string] | undefined {
  if (form !== undefined) return ['application/x-www-form-urlencoded', new URLSearchParams(form).toString()]
  if (json !== undefined) return ['application/json', JSON.stringify(json)]
  return undefined
}

/** Sends a request over a new connection, and reads the answer. */
export function send(call: Call, route: Route, timeoutMilliseconds = TIMEOUT_MILLISECONDS): Promise<Answer> {
  return sendRequest(call, route, timeoutMilliseconds).then((response) => readAnswer(response, call.url))
}

/** Closes the connection as soon as the answer starts to arrive, and resolves with its status. */
export async function sendAndCut(call: Call, route: Route): Promise<number> {
  const response = await sendRequest(call, route, TIMEOUT_MILLISECONDS)
  response.on('error', () => undefined).destroy()
  return response.statusCode ?? 0
}

/** Resolves when the head of the answer has arrived. */
function sendRequest(
  call: Call,
  { trust, ports }: Route,
  timeoutMilliseconds: number,
): Promise<IncomingMessage> {
  const { url, method } = call
  const [, text] = bodyOf(call) ?? []
  const isHttps = url.startsWith('https:')
  const options = {
    method,
    headers: headersOf(call),
    agent: false,
    signal: AbortSignal.timeout(timeoutMilliseconds),
    ...(ports && {
      hostname: '127.0.0.1',
      port: isHttps ? ports.https : ports.http,
      servername: 'localhost',
    }),
  }
  return new Promise((resolve, reject) => {
    const sent = isHttps ? requestHttps(url, { ...options, ...trust }) : requestHttp(url, options)
    sent.on('error', (error) => reject(noAnswer(url, error))).on('response', resolve)
    sent.end(text)
  })
}

function headersOf(call: Call): Record<string, string | number> {
  const [type, text] = bodyOf(call) ?? []
  return {
    host: new URL(call.url).host,
    ...(call.userAgent !== undefined && { 'user-agent': call.userAgent }),
    ...(call.authorization !== undefined && { authorization: call.authorization }),
    ...(call.dpop !== undefined && { dpop: call.dpop }),
    ...(text !== undefined &&
      type !== undefined && { 'content-type': type, 'content-length': Buffer.byteLength(text) }),
  }
}

function readAnswer(response: IncomingMessage, url: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    response.on('error', (error) => reject(noAnswer(url, error)))
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('end', () => {
      const { statusCode: status = 0, statusMessage: statusText = '', headers } = response
      const text = Buffer.concat(chunks).toString('utf8')
      resolve({ status, statusText, headers, text, members: membersOf(text) })
    })
  })
}

function noAnswer(url: string, { code, message }: NodeJS.ErrnoException): Error {
  return new Error(`no answer from ${url} (${code ?? message})`)
}

function membersOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
