import { type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'
import type { Message } from '../../demo-app/story/messages.js'

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

export interface Ask {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: object
}

/** Sends a request to the listener for plain HTTP, with any Host header. */
export async function ask(port: number, path: string, options: Ask = {}): Promise<Answer> {
  const response = await open(port, path, options)
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return { status: response.statusCode ?? 0, headers: response.headers, text }
}

function open(
  port: number,
  path: string,
  { method = 'GET', headers = {}, body }: Ask,
): Promise<IncomingMessage> {
  const all = { host: `localhost:${port}`, ...(body && { 'content-type': 'application/json' }), ...headers }
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers: all, agent: false }, resolve)
    sent.on('error', reject).end(body && JSON.stringify(body))
  })
}

/** Exchanges the token in a link for the cookie. */
export async function cookieFor(link: string): Promise<string> {
  const { port, pathname, search } = new URL(link)
  const { headers } = await ask(Number(port), pathname + search)
  return headers['set-cookie']?.[0]?.split(';')[0] ?? ''
}

/** The messages of a stream, as they arrive. */
export interface Stream {
  readonly messages: Message[]
  close(): void
}

export async function openStream(port: number, cookie: string): Promise<Stream> {
  const response = await open(port, '/story/api/stream', { headers: { cookie } })
  const messages: Message[] = []
  createInterface(response).on('line', (line) => messages.push(JSON.parse(line)))
  response.on('error', () => undefined)
  return { messages, close: () => void response.destroy() }
}
