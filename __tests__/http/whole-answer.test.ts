import { ServerResponse } from 'node:http'
import type { Request, Response } from 'express'
import fc from 'fast-check'
import { answerAgain, bytesOf, encodeAnswer, headToBe, wholeAnswer } from '../../lib/http/whole-answer.js'

/** A response without a connection. It records all writes. */
function response(headers: Record<string, string | string[]> = {}) {
  const res = new ServerResponse({
    method: 'POST',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
  } as Request) as Response
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  const bodies: Buffer[] = []
  Object.assign(res, { end: (chunk: Buffer) => void bodies.push(chunk) })
  return { res, bodies }
}

interface Given {
  readonly before?: Record<string, string | string[]>
  readonly after?: Record<string, string | string[] | undefined>
  readonly end?: readonly unknown[]
  readonly statusMessage?: string
}

function whole({ before = {}, after = before, end = [], statusMessage = '' }: Given) {
  const head = { status: 201, statusMessage }
  return wholeAnswer({ ...head, headers: before }, { ...head, headers: after }, end)
}

/** A repeated answer on a response that other middlewares have changed. */
function again(given: Given, now: Record<string, string | string[]> = {}) {
  const answer = whole(given)
  if (answer === undefined) throw new Error('nothing to keep')
  const { res, bodies } = response(now)
  answerAgain(res, encodeAnswer(answer))
  const { statusCode, statusMessage } = res
  return { statusCode, statusMessage, headers: { ...res.getHeaders() }, body: Buffer.concat(bodies) }
}

describe('a whole answer', () => {
  it('is the same again, whatever its bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string(), (bytes, text) => {
        expect(again({ end: [bytes] }).body).toEqual(Buffer.from(bytes))
        expect(again({ end: [text, 'utf8'] }).body).toEqual(Buffer.from(text))
      }),
    )
  })

  it.each<[unknown[], string]>([
    [['616263', 'hex'], 'abc'],
    [['abc', () => undefined], 'abc'],
    [[() => undefined], ''],
    [[null], ''],
    [[new Uint8Array([97])], 'a'],
    [[Buffer.from('xay').subarray(1, 2)], 'a'],
    [['\u00e9', 'latin1'], '\xe9'],
  ])('has the body that was written as %j', (end, text) => {
    expect(again({ end }).body.toString('latin1')).toBe(text)
  })

  it('has the reason phrase that was assigned', () => {
    expect(again({ statusMessage: 'Mine' })).toMatchObject({ statusCode: 201, statusMessage: 'Mine' })
  })

  it('keeps the current headers of others, and removes those that it removed', () => {
    const before = { 'x-request-id': '1', 'x-theirs': 'a', 'x-gone': 'a' }
    const after = { 'x-request-id': '1', 'x-theirs': 'b', 'x-ours': ['a', 'b'], 'x-gone': undefined }
    const now = { 'x-request-id': '2', 'x-theirs': 'c', 'x-gone': 'c', 'x-new': 'c' }
    const headers = { 'x-request-id': '2', 'x-theirs': 'b', 'x-ours': ['a', 'b'], 'x-new': 'c' }
    expect(again({ before, after }, now).headers).toEqual(headers)
  })

  it('keeps nothing that belongs to a connection or a moment', () => {
    const after = {
      connection: 'close',
      'keep-alive': 'timeout=1',
      'transfer-encoding': 'chunked',
      date: 'x',
    }
    expect(again({ after }).headers).toEqual({})
  })

  it.each<[string | string[] | undefined, string | string[], string | string[] | undefined, string[]]>([
    [undefined, 'ours=1', undefined, ['ours=1']],
    ['theirs=1', ['theirs=1', 'ours=1'], 'theirs=2', ['theirs=2', 'ours=1']],
    [
      ['a=1', 'b=1'],
      ['a=1', 'b=1', 'ours=1'],
      ['a=2', 'b=2', 'c=2'],
      ['a=2', 'b=2', 'c=2', 'ours=1'],
    ],
    ['theirs=1', ['theirs=1', 'ours=1'], undefined, ['ours=1']],
    ['theirs=1', ['ours=1'], 'theirs=2', ['ours=1']],
  ])('adds its own cookies to those of others: %j, %j', (before, after, now, cookies) => {
    const named = (value: string | string[] | undefined) =>
      value === undefined ? {} : { 'set-cookie': value }
    expect(again({ before: named(before), after: named(after) }, named(now)).headers['set-cookie']).toEqual(
      cookies,
    )
  })

  it('with trailers is not kept', () => {
    expect(whole({ after: { trailer: 'X-Sum' } })).toBeUndefined()
  })
})

describe('the head to be', () => {
  const headersToBe = (res: Response, written: unknown[]) => {
    const { date: _, ...headers } = headToBe(res, written).headers
    return headers
  }
  const LISTS: [title: string, given: unknown, headers: object][] = [
    ['an object', { 'X-A': 'b' }, { 'x-a': 'b' }],
    [
      'names and values in turns',
      ['X-A', 'b', 'Set-Cookie', ['c', 'd']],
      { 'x-a': 'b', 'set-cookie': ['c', 'd'] },
    ],
    ['nothing', undefined, {}],
  ]
  it.each(LISTS)('has the headers that writeHead is given as %s', (_title, given, headers) => {
    expect(headersToBe(response().res, [200, given])).toEqual(headers)
  })

  it('has the headers that were set, where writeHead gives no others', () => {
    const { res } = response({ 'X-A': 'a', 'X-B': 'b' })
    expect(headersToBe(res, [200, { 'x-b': 'c' }])).toEqual({ 'x-a': 'a', 'x-b': 'c' })
    expect(headersToBe(res, [])).toEqual({ 'x-a': 'a', 'x-b': 'b' })
  })

  it.each<[unknown[], number, string]>([
    [[202], 202, ''],
    [[202, 'Taken'], 202, 'Taken'],
    [[202, 'Taken', {}], 202, 'Taken'],
    [[202, {}], 202, ''],
    [[202, []], 202, ''],
    [[], 200, ''],
  ])('has the status that writeHead was given: %j', (args, status, message) => {
    const head = headToBe(response().res, args)
    expect([head.status, head.statusMessage ?? '']).toEqual([status, message])
  })

  it.each([[[99]], [[200, 'a\n']], [[200, { 'X-A': 'a\n' }]], [[200, ['X-A']]]])(
    'is refused as Node does: %j',
    (args) => {
      expect(() => headToBe(response({ 'X-B': 'b' }).res, args)).toThrow()
    },
  )
})

describe('a piece of a body', () => {
  it.each<[unknown[], string]>([
    [[{}], 'ERR_INVALID_ARG_TYPE'],
    [[null], 'ERR_INVALID_ARG_TYPE'],
    [[undefined], 'ERR_INVALID_ARG_TYPE'],
    [['a', 'no-such'], 'ERR_UNKNOWN_ENCODING'],
    [[Buffer.from('a'), 'no-such'], 'ERR_UNKNOWN_ENCODING'],
  ])('is refused as Node does: %j', (args, code) => {
    expect(() => bytesOf(args)).toThrow(expect.objectContaining({ code }))
  })
})
