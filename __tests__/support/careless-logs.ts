import { inspect } from 'node:util'
import express, { type Express, type Request, type Response } from 'express'
import type { ProvisioningKeys } from '../../lib/index.js'
import { finderOf } from '../../lib/testing/exposed-secrets.js'
import { mountAll } from './server.js'

const DEEP = { depth: 6, maxStringLength: null, maxArrayLength: null, breakLength: Number.POSITIVE_INFINITY }

/** A log that records everything, as a careless developer would write it. */
export interface CarelessLog {
  readonly lines: string[]
  note(...values: unknown[]): void
  /** Ends the capture of console, streams and process warnings. */
  release(): void
}

/** Records the console, the standard streams, process warnings, and everything that a test passes to it. */
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

/** Everything that a logger can reach: the objects with all properties that Node and Express add to them. */
function noteAll(log: CarelessLog, req: Request, res: Response): void {
  // The request leads to the response.
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
 * Mounts the instance in an app that logs everything, in handlers and after each answer. It leaves errors to the
 * handler of Express in development mode, which prints and sends stacks.
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

/** The places in the texts that contain 20 successive characters of a secret, or all characters of a shorter one. */
export function linesThatTell(secrets: readonly string[], lines: readonly string[]): string[] {
  return secrets.map(finderOf).flatMap((find) =>
    lines.flatMap((line) => {
      const place = find(line)
      return place === undefined ? [] : [`...${line.slice(Math.max(0, place - 250), place + 40)}...`]
    }),
  )
}
