import { inspect } from 'node:util'
import express, { type Express, type Request, type Response } from 'express'
import type { ProvisioningKeys } from '../../lib/index.js'
import { mountAll } from './server.js'

const DEEP = { depth: 6, maxStringLength: null, maxArrayLength: null, breakLength: Number.POSITIVE_INFINITY }

/** A log of everything, as careless as one can be. */
export interface CarelessLog {
  readonly lines: string[]
  note(...values: unknown[]): void
  /** Ends the capture of console, streams and process warnings. */
  release(): void
}

/** Writes down what goes to the console, to the standard streams and into process warnings, and whatever it is given. */
export function carelessLog(): CarelessLog {
  const lines: string[] = []
  const note = (...values: unknown[]) => {
    for (const value of values) lines.push(typeof value === 'string' ? value : inspect(value, DEEP))
  }
  const consoles = (['log', 'info', 'warn', 'error', 'debug', 'trace'] as const).map((name) =>
    jest.spyOn(console, name).mockImplementation(note),
  )
  const streams = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, 'write').mockImplementation((chunk) => note(String(chunk)) === undefined),
  )
  const warnings = jest.spyOn(process, 'emitWarning').mockImplementation(note)
  return {
    lines,
    note,
    release() {
      for (const spy of [...consoles, ...streams, warnings]) spy.mockRestore()
    },
  }
}

/** All that a logger could take hold of: the objects themselves, with everything that Node and Express hang on them. */
function noteAll(log: CarelessLog, req: Request, res: Response): void {
  // The response is in the request.
  log.note(req.method, req.originalUrl, req.url, res.statusCode, req)
  log.note(
    req.headers,
    req.rawHeaders,
    req.headersDistinct,
    req.query,
    req.body,
    req.params,
    req.provisioning,
  )
  log.note(
    res.getHeaders(),
    res.locals,
    JSON.stringify(req.provisioning) ?? '',
    JSON.stringify(req.body) ?? '',
  )
}

/**
 * Mounts the instance in an app that logs whatever it can, in handlers and when answers are done, and which leaves
 * errors to Express's own handler as it is in development: that prints stacks, and sends them too.
 */
export function mountCarelessly(log: CarelessLog, { parses = false } = {}) {
  return (app: Express, keys: ProvisioningKeys): void => {
    app.set('env', 'development')
    app.use((req, res, next) => {
      res.on('close', () => noteAll(log, req, res))
      next()
    })
    if (parses) app.use(express.json(), express.urlencoded({ extended: true }))
    const handlers = ['/fails', '/fails-later', '/answers'] as const
    for (const path of handlers) {
      app.post(
        path,
        keys.redeemProvisioningKey({ scope: 'devices:create', audience: 'https://api.example.com' }),
        (req, res, next) => {
          noteAll(log, req, res)
          if (path === '/answers') res.status(201).json(req.provisioning)
          else if (path === '/fails') throw new Error(`cannot create for ${inspect(req.provisioning)}`)
          else setImmediate(() => next(new Error(`cannot create for ${inspect(req, DEEP)}`)))
        },
      )
    }
    mountAll(app, keys)
  }
}

const LONGEST_HARMLESS = 19

/** Which of the texts hold 20 characters in a row, or all that there are, of a secret; with what is around them. */
export function linesThatTell(secrets: readonly string[], lines: readonly string[]): string[] {
  return secrets.map(ownPartOf).flatMap((secret) => {
    const length = Math.min(LONGEST_HARMLESS + 1, secret.length)
    const windows = Array.from({ length: secret.length - length + 1 }, (_, i) => secret.slice(i, i + length))
    // Every window holds one of these whole, and there are few of them to look for.
    const blocks = secret.match(new RegExp(`.{${length >> 1}}`, 'g')) ?? []
    const suspicious = lines.filter((line) => blocks.some((block) => line.includes(block)))
    return suspicious.flatMap((line) => {
      const part = windows.find((window) => line.includes(window))
      return part === undefined ? [] : [around(line, line.indexOf(part))]
    })
  })
}

function around(line: string, place: number): string {
  return `...${line.slice(Math.max(0, place - 250), place + 40)}...`
}

/** The header and the first claims are alike in all keys and tell nothing; what follows is each key's own. */
function ownPartOf(secret: string): string {
  const [, payload, signature] = secret.split('.')
  return payload === undefined ? secret : `${payload.slice(140)}.${signature}`
}
