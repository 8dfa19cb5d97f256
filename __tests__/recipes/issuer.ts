import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ProvisioningOptions } from '../../lib/index.js'
import { type LocalServer, startLocalServer } from '../support/local-server.js'
import { closeServer, lasting, SECRET } from '../support/server.js'

/** The answer to a request: its status, its headers and its body. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * What happens to one answer of the issuer: the client gets another answer, or none. A function that returns `undefined`
 * changes nothing.
 */
export type Fault = (answer: Answer) => Partial<Answer> | 'cut' | undefined

/** An issuer behind a proxy that spoils answers, and the state of one device. */
export interface Scene {
  readonly issuer: LocalServer
  readonly origin: string
  /** The requests that reached the issuer, such as `POST /oauth/bind`. */
  readonly requests: string[]
  /** The faults of the next answers, by the request. The last one stays. */
  readonly faults: Record<string, readonly (Fault | undefined)[]>
  /** The environment of a recipe. */
  readonly env: Readonly<Record<string, string>>
  /** The names and the modes of the files of the device. */
  files(): Readonly<Record<string, string>>
  /** The text of all files of the device. */
  saved(): string
  close(): Promise<void>
}

/** The recipes make their files durable, which takes seconds on a busy disk. */
const FOLDERS = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

const SCOPES = ['provision:bind', 'provision:token', 'provision:register', 'devices:create', 'devices:read']

export async function openScene(options: Partial<ProvisioningOptions> = {}): Promise<Scene> {
  const folder = mkdtempSync(join(FOLDERS, 'recipe-'))
  const requests: string[] = []
  const faults: Scene['faults'] = {}
  let target = ''
  const proxy = lasting(
    createServer((req, res) => {
      const name = `${req.method} ${req.url}`
      requests.push(name)
      const [fault, ...later] = faults[name] ?? []
      if (later.length > 0) faults[name] = later
      forward(target, req, res, fault)
    }),
  )
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const origin = `http://localhost:${(proxy.address() as AddressInfo).port}`
  const policy = { scopes: SCOPES, subjects: ['device:*'] }
  const clients = [{ clientId: 'fleet', clientSecret: SECRET, policy }]
  const issuer = await startLocalServer({ issuer: origin, audience: origin, clients, ...options })
  target = issuer.origin
  const names = () => readdirSync(folder).sort()
  return {
    issuer,
    origin,
    requests,
    faults,
    env: {
      ISSUER: origin,
      CLIENT_ID: 'fleet',
      CLIENT_SECRET: SECRET,
      SUBJECT: 'device:7',
      STATE: join(folder, 'device.json'),
      DEADLINE: '20',
    },
    files: () =>
      Object.fromEntries(
        names().map((name) => [name, (statSync(join(folder, name)).mode & 0o777).toString(8)]),
      ),
    saved: () =>
      names()
        .map((name) => readFileSync(join(folder, name), 'latin1'))
        .join('\n'),
    async close() {
      await Promise.all([issuer.close(), closeServer(proxy)])
      rmSync(folder, { recursive: true })
    },
  }
}

/** Sends a request to the issuer, and its answer to the client, unless a fault changes the answer. */
function forward(target: string, req: IncomingMessage, res: ServerResponse, fault: Fault | undefined): void {
  const sent = request(`${target}${req.url}`, { method: req.method, headers: req.headers }, (answer) => {
    const chunks: Buffer[] = []
    answer.on('data', (chunk: Buffer) => chunks.push(chunk))
    answer.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      const { 'content-length': _, ...headers } = answer.headers as Record<string, string>
      const original = { status: answer.statusCode ?? 0, headers, body }
      const changed = fault?.(original)
      if (changed === 'cut') return res.destroy()
      const { status, headers: fields, body: text } = { ...original, ...changed }
      return res.writeHead(status, fields).end(text)
    })
  })
  sent.on('error', () => res.destroy())
  req.pipe(sent)
}
