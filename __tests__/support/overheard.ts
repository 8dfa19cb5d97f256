import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:https'

/** The secrets that went over the wire, by kind. */
export interface Overheard {
  readonly secrets: ReadonlyMap<string, string>
  /** Parts of secrets that are not secret: the ids of clients. */
  readonly identifiers: ReadonlySet<string>
}

/** The members and parameters of requests and answers that contain a key, token, secret, proof or assertion. */
const SECRET_MEMBERS = [
  ...['access_token', 'subject_token', 'actor_token', 'token', 'registration_access_token'],
  ...['client_secret', 'client_assertion', 'proof', 'software_statement'],
]

/** Records all requests that a server gets from now on, and its answers. */
export function overhear(https: Server): Overheard {
  const secrets = new Map<string, string>()
  const identifiers = new Set<string>()
  const learn = (kind: string, text: unknown) => {
    if (typeof text === 'string' && text !== '') secrets.set(text, kind)
  }
  const learnBody = (body: string) => {
    const members = membersOf(body)
    for (const name of SECRET_MEMBERS) learn(name, members[name])
    if (typeof members['client_id'] === 'string') identifiers.add(members['client_id'])
  }
  https.prependListener('request', (req: IncomingMessage, res: ServerResponse) => {
    learnCredentials(req, learn)
    listen(req, res, learnBody)
  })
  return { secrets, identifiers }
}

function learnCredentials({ headers }: IncomingMessage, learn: (kind: string, text: unknown) => void): void {
  const [, scheme = '', credentials = ''] = /^(\w+) (.+)$/.exec(headers.authorization ?? '') ?? []
  learn(scheme, credentials)
  if (scheme === 'Basic') {
    const [, secret = ''] = /:(.*)$/.exec(Buffer.from(credentials, 'base64').toString()) ?? []
    learn('client_secret', decodeURIComponent(secret))
  }
  learn('DPoP proof', headers['dpop'])
}

function membersOf(body: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(body)
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {}
  } catch {
    return Object.fromEntries(new URLSearchParams(body))
  }
}

/** Reads both bodies without changing how they flow. */
function listen(req: IncomingMessage, res: ServerResponse, onBody: (body: string) => void): void {
  const asked: Buffer[] = []
  const answered: Buffer[] = []
  const emit = req.emit.bind(req)
  req.emit = (name: string | symbol, ...args: unknown[]) => {
    if (name === 'data') asked.push(Buffer.from(args[0] as Uint8Array))
    return emit(name, ...args)
  }
  for (const name of ['write', 'end'] as const) {
    const original = res[name].bind(res) as (...args: unknown[]) => never
    res[name] = (...args: unknown[]) => {
      const [chunk] = args
      if (typeof chunk === 'string' || chunk instanceof Uint8Array) answered.push(Buffer.from(chunk))
      return original(...args)
    }
  }
  res.on('close', () => {
    for (const chunks of [asked, answered]) onBody(Buffer.concat(chunks).toString())
  })
}
