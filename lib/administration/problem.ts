import type { Response } from 'express'
import { ConfigurationError, ProvisioningError } from '../base/errors.js'
import type { AdministrationRefusal } from '../ports/event-details.js'

/** The statuses of the API, and their standard phrases (RFC 9110 15). */
const TITLES = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
} as const

type ProblemStatus = keyof typeof TITLES

interface ProblemOptions {
  readonly faults?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
  readonly refusal?: AdministrationRefusal['reason']
}

/** A request that the API refuses. `detail` says why, for the operator. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly status: ProblemStatus
  /** The faults of the parameters: `path: expected X, got Y`. */
  readonly faults: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  /** Why the sender may not do this, for the event. */
  readonly refusal: AdministrationRefusal['reason'] | undefined

  constructor(
    status: ProblemStatus,
    detail: string,
    { faults = [], headers = {}, refusal }: ProblemOptions = {},
  ) {
    super(detail)
    this.status = status
    this.faults = faults
    this.headers = headers
    this.refusal = refusal
  }
}

/** Answers with a problem document (RFC 9457 3). */
export function answerProblem(res: Response, thrown: unknown): void {
  const { status, message: detail, faults, headers } = problemOf(thrown)
  if (res.headersSent) {
    res.destroy()
    return
  }
  const body = {
    type: 'about:blank',
    title: TITLES[status],
    status,
    detail,
    ...(faults.length > 0 && { faults }),
  }
  res.statusCode = status
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  res.setHeader('Content-Type', 'application/problem+json')
  res.end(JSON.stringify(body))
}

const STATUS_OF_BODY: Readonly<Record<string, ProblemStatus>> = {
  body_too_large: 413,
  media_type_unsupported: 415,
}

/** The message of an unexpected error stays in the process: it could contain anything. */
function problemOf(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown
  if (thrown instanceof ConfigurationError)
    return new Problem(400, 'Some parameters are wrong.', { faults: thrown.faults })
  if (!(thrown instanceof ProvisioningError))
    return new Problem(500, 'The server has failed. Look at its log.')
  const { code, reason, message } = thrown
  if (code === 'temporarily_unavailable')
    return new Problem(503, `${message} Try again later.`, { headers: { 'Retry-After': '5' } })
  return code === 'server_error'
    ? new Problem(500, message)
    : new Problem(STATUS_OF_BODY[reason] ?? 400, message)
}
