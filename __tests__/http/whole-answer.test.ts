import { ServerResponse } from 'node:http'
import type { Request, Response } from 'express'
import fc from 'fast-check'
import {
  answerAgain,
  encodeAnswer,
  headersToBe,
  type Written,
  wholeAnswer,
} from '../../lib/http/whole-answer.js'

/** A response that nothing is connected to; what is written to it is noted. */
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
  readonly written?: Written
  readonly statusMessage?: string
}

function whole({ before = {}, after = before, written = [['end', []]], statusMessage = '' }: Given) {
  return wholeAnswer(written, { before, after, statusCode: 201, statusMessage })
}

/** What an answer again has, on a response that others have put something on. */
function again(given: Given, now: Record<string, string | string[]> = {}) {
  const answer = whole(given)
  if (answer === undefined) throw new Error('nothing to keep')
  const { res, bodies } = response(now)
  answerAgain(res, encodeAnswer(answer))
  const { statusCode, statusMessage } = res
  return { statusCode, statusMessage, headers: { ...res.getHeaders() }, body: Buffer.concat(bodies) }
}

describe('a whole answer', () => {
  it('is the same again, of whatever bytes in whatever pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), fc.string(), (pieces, text) => {
        const written: Written = [...pieces.map((one) => ['write', [one]] as const), ['end', [text, 'utf8']]]
        const body = Buffer.concat([...pieces, Buffer.from(text)])
        expect(again({ written }).body).toEqual(body)
      }),
    )
  })

  it.each<[Written[number], string]>([
    [['end', ['616263', 'hex']], 'abc'],
    [['end', ['abc', () => undefined]], 'abc'],
    [['end', [() => undefined]], ''],
    [['end', [null]], ''],
    [['end', [new Uint8Array([97])]], 'a'],
    [['end', ['\u00e9', 'latin1']], '\xe9'],
  ])('has the body that was written as %j', (one, text) => {
    expect(again({ written: [one] }).body.toString('latin1')).toBe(text)
  })

  it.each<[unknown[], number, string]>([
    [[202], 202, ''],
    [[202, 'Taken'], 202, 'Taken'],
    [[202, 'Taken', {}], 202, 'Taken'],
    [[202, {}], 202, ''],
    [[202, []], 202, ''],
  ])('has the status that writeHead was given: %j', (args, statusCode, message) => {
    const { statusMessage, ...rest } = again({
      written: [
        ['writeHead', args],
        ['end', []],
      ],
    })
    expect([rest.statusCode, statusMessage ?? '']).toEqual([statusCode, message])
  })

  it('has the reason phrase that was assigned', () => {
    expect(again({ statusMessage: 'Mine' })).toMatchObject({ statusCode: 201, statusMessage: 'Mine' })
  })

  it('leaves the headers of others as they are now, and takes away what it took away', () => {
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

describe('the headers to be', () => {
  const LISTS: [title: string, given: unknown, headers: object][] = [
    ['an object', { 'X-A': 'b' }, { 'x-a': 'b' }],
    [
      'names and values in turns',
      ['X-A', 'b', 'Set-Cookie', ['c', 'd']],
      { 'x-a': 'b', 'set-cookie': ['c', 'd'] },
    ],
    [
      'pairs',
      [
        ['X-A', 'b'],
        ['Set-Cookie', ['c', 'd']],
      ],
      { 'x-a': 'b', 'set-cookie': ['c', 'd'] },
    ],
    ['a name twice', ['Link', 'a', 'Link', 'b'], { link: ['a', 'b'] }],
    ['nothing', undefined, {}],
  ]
  it.each(LISTS)('are those that writeHead is given as %s', (_title, given, headers) => {
    expect(headersToBe(response().res, [200, given])).toEqual(headers)
  })

  it('are those that were set, where writeHead gives no others', () => {
    const { res } = response({ 'X-A': 'a', 'X-B': 'b' })
    expect({ ...headersToBe(res, [200, { 'x-b': 'c' }]) }).toEqual({ 'x-a': 'a', 'x-b': 'c' })
    expect({ ...headersToBe(res, []) }).toEqual({ 'x-a': 'a', 'x-b': 'b' })
  })

  it.each([[[99]], [[200, 'a\n']], [[200, { 'X-A': 'a\n' }]], [[200, ['X-A']]]])(
    'are refused as Node does: %j',
    (args) => {
      expect(() => headersToBe(response({ 'X-B': 'b' }).res, args)).toThrow()
    },
  )
})
