import { type IncomingHttpHeaders, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Call } from './step'

/** How the server's certificate is judged: trusted because the tour knows it, or, on this machine only, not at all. */
export type Trust = { readonly ca: string } | { readonly rejectUnauthorized: false }

export interface Answer {
  readonly status: number
  readonly statusText: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The members of a JSON object; none where the body is something else. */
  readonly members: Readonly<Record<string, unknown>>
}

const TIMEOUT_MILLISECONDS = 10_000

/** The media type and the text of a call's body. */
export function bodyOf({ form, json }: Call): readonly [type: string, text: string] | undefined {
  if (form !== undefined) return ['application/x-www-form-urlencoded', new URLSearchParams(form).toString()]
  if (json !== undefined) return ['application/json', JSON.stringify(json)]
  return undefined
}

/** Sends one request over a connection of its own. */
export function send(call: Call, trust: Trust, timeoutMilliseconds = TIMEOUT_MILLISECONDS): Promise<Answer> {
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
    const refuse = ({ code, message }: NodeJS.ErrnoException) =>
      reject(new Error(`no answer from ${call.url} (${code ?? message})`))
    sent.on('error', refuse).end(text)
    sent.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('error', refuse).on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const { statusCode: status = 0, statusMessage: statusText = '', headers } = response
        const text = Buffer.concat(chunks).toString('utf8')
        resolve({ status, statusText, headers, text, members: membersOf(text) })
      })
    })
  })
}

function membersOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
