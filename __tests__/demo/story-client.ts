import { type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProvisioningEvent } from 'express-provisioning-keys'
import { readEnvironment } from '../../demo-app/environment.js'
import { type RunningDemo, startDemo } from '../../demo-app/server.js'
import type { Message } from '../../demo-app/story/messages.js'
import { QUICK } from '../../demo-app/story/pace.js'

/** The secret of the demo's own client. */
export const SECRET = 'a-secret-of-the-story-and-of-nobody-else'

/** What a browser sends with a request of the page. */
export const SAME_ORIGIN = { 'sec-fetch-site': 'same-origin' }

/** A demo with a story, as a browser sees it that has opened the link. */
export interface StoryDemo {
  readonly demo: RunningDemo
  readonly link: string
  readonly port: number
  readonly cookie: string
  readonly events: ProvisioningEvent[]
  /** Sends a request as the page does. */
  readonly askAsPage: (path: string, options?: Ask) => Promise<Answer>
}

export async function startStoryDemo(): Promise<StoryDemo> {
  const environment = readEnvironment({ PORT: '0', HTTP_PORT: '0', DEMO_CLIENT_SECRET: SECRET })
  const events: ProvisioningEvent[] = []
  // Only a test that stops them plays all scenes.
  const pace = { ...QUICK, sceneMilliseconds: 600_000 }
  const demo = await startDemo(environment, { observer: (event) => events.push(event), hasStory: true, pace })
  const link = demo.storyUrl ?? ''
  const port = Number(new URL(link).port)
  const cookie = await cookieFor(link)
  const askAsPage = (path: string, options: Ask = {}) =>
    ask(port, path, { ...options, headers: { cookie, ...SAME_ORIGIN, ...options.headers } })
  return { demo, link, port, cookie, events, askAsPage }
}

export async function until(what: string, holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 15_000; !holds(); await sleep(10))
    if (Date.now() > deadline) throw new Error(`timed out waiting until ${what}`)
}

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
async function cookieFor(link: string): Promise<string> {
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
