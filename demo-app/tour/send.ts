import { type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Call } from './step'

/** How to verify the server's certificate. Without verification, the server must be on this machine. */
export type Trust = { readonly ca: string } | { readonly rejectUnauthorized: false }

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
export function bodyOf({ form, json }: Call): readonly [type: string, text: string] | undefined {
  if (form !== undefined) return ['application/x-www-form-urlencoded', new URLSearchParams(form).toString()]
  if (json !== undefined) return ['application/json', JSON.stringify(json)]
  return undefined
}

/** Sends a request over a new connection, and reads the answer. */
export function send(call: Call, trust: Trust, timeoutMilliseconds = TIMEOUT_MILLISECONDS): Promise<Answer> {
  return sendRequest(call, trust, timeoutMilliseconds).then((response) => readAnswer(response, call.url))
}

/** Closes the connection as soon as the answer starts to arrive, and resolves with its status. */
export async function sendAndCut(call: Call, trust: Trust): Promise<number> {
  const response = await sendRequest(call, trust, TIMEOUT_MILLISECONDS)
  response.on('error', () => undefined).destroy()
  return response.statusCode ?? 0
}

/** Resolves when the head of the answer has arrived. */
function sendRequest(call: Call, trust: Trust, timeoutMilliseconds: number): Promise<IncomingMessage> {
  const [type, text] = bodyOf(call) ?? []
  const headers = {
    ...(call.authorization !== undefined && { authorization: call.authorization }),
    ...(call.dpop !== undefined && { dpop: call.dpop }),
    ...(text !== undefined && { 'content-type': type, 'content-length': Buffer.byteLength(text) }),
  }
  const options = {
    method: call.method,
    headers,
    agent: false,
    signal: AbortSignal.timeout(timeoutMilliseconds),
  }
  return new Promise((resolve, reject) => {
    const isHttps = call.url.startsWith('https:')
    const sent = isHttps ? requestHttps(call.url, { ...options, ...trust }) : requestHttp(call.url, options)
    sent.on('error', (error) => reject(noAnswer(call.url, error))).on('response', resolve)
    sent.end(text)
  })
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
