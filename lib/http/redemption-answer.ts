import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { Request } from 'express'
import { ConfigurationError } from '../base/errors.js'
import { describeSecret, newFaults } from '../base/faults.js'
import { isObject } from '../base/object.js'
import type { Provisioning } from './identities.js'
import type { WholeAnswer } from './whole-answer.js'

/**
 * What a `RedemptionHandler` returns. The guard writes it when the key is settled.
 *
 * @example
 * const created: RedemptionAnswer = { status: 201, headers: { Location: '/devices/7' }, body: { id: 7 } }
 */
export interface RedemptionAnswer {
  /**
   * 200 to 599. Default: 200. A status below 400 redeems the key. A status from 400 releases it, except 406, 412 and 416.
   */
  readonly status?: number | undefined
  /** Headers of the answer. `Content-Length` and the headers of the connection are ignored. */
  readonly headers?: Readonly<Record<string, string | number | readonly string[]>> | undefined
  /**
   * A string is sent as `text/plain`, a `Uint8Array` as `application/octet-stream`, every other value as JSON. To send
   * another `Content-Type`, set it in `headers`.
   */
  readonly body?: string | number | boolean | object | null | undefined
}

/**
 * Does the work of a redemption and returns the answer. It does not touch the response.
 *
 * @example
 * const createDevice: RedemptionHandler = async (req, { subject, redemptionId }) => {
 *   const device = await devices.create(subject, req.body.name, redemptionId)
 *   return { status: 201, body: device }
 * }
 */
export type RedemptionHandler = (
  req: Request,
  provisioning: Provisioning & Required<Pick<Provisioning, 'signal' | 'redemptionId'>>,
) => RedemptionAnswer | Promise<RedemptionAnswer>

const MEMBERS = ['status', 'headers', 'body']

/** These headers follow from the body and the connection. Another value would break the framing (RFC 9112 6). */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Statuses whose answers have no body (RFC 9110 15.3.5, 15.3.6, 15.4.5). */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/**
 * Reads what a handler returned.
 *
 * @throws ConfigurationError when the handler did not return an answer
 */
export function readAnswer(returned: unknown): WholeAnswer {
  // `return res.json()` returns the response.
  if (!isObject(returned) || 'writeHead' in returned) throw new ConfigurationError([noAnswer(returned)])
  const faults = newFaults()
  faults.addUnknownNames('answer', returned, MEMBERS)
  const { status = 200, headers = {}, body } = returned
  if (!isStatus(status)) faults.add('answer.status', 'an integer from 200 to 599', describeStatus(status))
  const entries = headerEntries(headers)
  if (entries === undefined) faults.add('answer.headers', EXPECTED_HEADERS, 'something else')
  const encoded = encodeBody(body)
  if (encoded === undefined) faults.add('answer.body', EXPECTED_BODY, describeSecret(body))
  faults.throwIfAny()
  return assemble(status as number, entries as readonly HeaderEntry[], encoded as EncodedBody)
}

function noAnswer(returned: unknown): string {
  const got = isObject(returned) ? 'the response' : describeSecret(returned)
  return `redeemProvisioningKey: expected its handler to return { status, headers, body }, got ${got}`
}

const EXPECTED_HEADERS =
  'an object with header names and their values, which are strings, numbers or lists of strings'
const EXPECTED_BODY =
  'a string, a Uint8Array or a value that JSON.stringify() accepts; wait for promises and streams'

function isStatus(status: unknown): status is number {
  return Number.isInteger(status) && Number(status) >= 200 && Number(status) <= 599
}

function describeStatus(status: unknown): string {
  return typeof status === 'number' ? String(status) : describeSecret(status)
}

type HeaderEntry = readonly [name: string, value: string | readonly string[]]

/** Returns `undefined` for headers that Node cannot write, and for a `Headers` or a `Map`, whose entries are no members. */
function headerEntries(headers: unknown): readonly HeaderEntry[] | undefined {
  if (!isObject(headers) || Symbol.iterator in headers) return undefined
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), textOf(value)] as const)
  return entries.every(isHeader) ? entries : undefined
}

function textOf(value: unknown): unknown {
  return typeof value === 'number' ? String(value) : value
}

function isHeader(entry: readonly [name: string, value: unknown]): entry is HeaderEntry {
  const [name, value] = entry
  try {
    validateHeaderName(name)
    for (const text of [value].flat()) validateHeaderValue(name, text as string)
    return [value].flat().every((text) => typeof text === 'string')
  } catch {
    return false
  }
}

interface EncodedBody {
  readonly type?: string
  readonly bytes: Buffer
}

/** Returns `undefined` for a body that cannot be sent. */
function encodeBody(body: unknown): EncodedBody | undefined {
  if (body === undefined) return { bytes: Buffer.alloc(0) }
  if (typeof body === 'string') return { type: 'text/plain; charset=utf-8', bytes: Buffer.from(body) }
  if (body instanceof Uint8Array) return { type: 'application/octet-stream', bytes: Buffer.from(body) }
  // JSON would turn promises and streams into {}.
  if (isObject(body) && (Symbol.asyncIterator in body || typeof body.then === 'function')) return undefined
  try {
    const text: string | undefined = JSON.stringify(body)
    return text === undefined
      ? undefined
      : { type: 'application/json; charset=utf-8', bytes: Buffer.from(text) }
  } catch {
    return undefined
  }
}

function assemble(
  status: number,
  entries: readonly HeaderEntry[],
  { type, bytes }: EncodedBody,
): WholeAnswer {
  const ownHeaders = entries
    .filter(([name]) => !CONNECTION_HEADERS.has(name))
    // A cookie is added to those of other middlewares. Every other header replaces an earlier value.
    .map(([name, text]) => [name, name === 'set-cookie' ? { added: [text].flat() } : text] as const)
  const hasBody = !WITHOUT_BODY.has(status)
  const headers = {
    ...(hasBody && type !== undefined && { 'content-type': type }),
    ...Object.fromEntries(ownHeaders),
    ...(hasBody && { 'content-length': String(bytes.length) }),
  }
  return { status, statusMessage: '', headers, body: hasBody ? bytes : Buffer.alloc(0) }
}
