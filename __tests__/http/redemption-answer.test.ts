import { Readable } from 'node:stream'
import { readAnswer } from '../../lib/http/redemption-answer.js'
import { ConfigurationError } from '../../lib/index.js'

const text = (returned: unknown) => readAnswer(returned).body.toString()

describe('the answer that a handler returns', () => {
  it('is 200 without a body when it says nothing else', () => {
    expect(readAnswer({})).toEqual({
      status: 200,
      statusMessage: '',
      headers: { 'content-length': '0' },
      body: Buffer.alloc(0),
    })
  })

  it.each<[string, unknown, string, string]>([
    ['an object', { a: 'ä' }, 'application/json; charset=utf-8', '{"a":"ä"}'],
    ['a list', [1, null], 'application/json; charset=utf-8', '[1,null]'],
    ['null', null, 'application/json; charset=utf-8', 'null'],
    ['a number', 7, 'application/json; charset=utf-8', '7'],
    ['false', false, 'application/json; charset=utf-8', 'false'],
    ['an object with toJSON()', new Date(0), 'application/json; charset=utf-8', '"1970-01-01T00:00:00.000Z"'],
    [
      'an object with a member then',
      JSON.parse('{"then":1}'),
      'application/json; charset=utf-8',
      '{"then":1}',
    ],
    ['a text', 'grün', 'text/plain; charset=utf-8', 'grün'],
    ['an empty text', '', 'text/plain; charset=utf-8', ''],
    ['a buffer', Buffer.from('ab'), 'application/octet-stream', 'ab'],
    [
      'a part of an array buffer',
      new Uint8Array(Buffer.from('xab').buffer).subarray(0, 0),
      'application/octet-stream',
      '',
    ],
  ])('has the media type and the length of its body: %s', (_title, body, type, sent) => {
    const answer = readAnswer({ body })
    expect(answer.body.toString()).toBe(sent)
    expect(answer.headers).toEqual({
      'content-type': type,
      'content-length': String(Buffer.byteLength(sent)),
    })
  })

  it('has the Content-Type that it names, in any case', () => {
    const { headers } = readAnswer({ headers: { 'Content-Type': 'text/csv' }, body: 'a,b' })
    expect(headers).toEqual({ 'content-type': 'text/csv', 'content-length': '3' })
  })

  it('has its headers, and adds its cookies to those of others', () => {
    const { headers } = readAnswer({ headers: { 'X-Count': 3, Link: ['<a>', '<b>'], 'Set-Cookie': 'a=1' } })
    expect(headers).toMatchObject({ 'x-count': '3', link: ['<a>', '<b>'], 'set-cookie': { added: ['a=1'] } })
  })

  it('cannot break its own framing', () => {
    const forged = {
      'Content-Length': 1,
      'Transfer-Encoding': 'chunked',
      Connection: 'close',
      'Keep-Alive': 'timeout=1',
      Trailer: 'X-Sum',
      Upgrade: 'h2c',
    }
    expect(readAnswer({ headers: forged, body: 'abc' }).headers).toEqual({
      'content-type': 'text/plain; charset=utf-8',
      'content-length': '3',
    })
  })

  it.each([204, 205, 304])('has no body with the status %d', (status) => {
    const { headers, body } = readAnswer({ status, headers: { ETag: '"a"' }, body: { a: 1 } })
    expect([headers, body.length]).toEqual([{ etag: '"a"' }, 0])
  })

  it.each([200, 299, 302, 400, 599])('may have the status %d', (status) => {
    expect(readAnswer({ status }).status).toBe(status)
  })

  it('reads a body as it is now, so that later changes do not change the answer', () => {
    const bytes = Buffer.from('ab')
    const { body } = readAnswer({ body: bytes })
    bytes.fill(0)
    expect(body.toString()).toBe('ab')
    expect(text({ body: 'ab' })).toBe('ab')
  })
})

describe('a value that is no answer', () => {
  const circle: Record<string, unknown> = {}
  circle.self = circle
  const response = { writeHead: () => undefined, statusCode: 200 }

  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /expected its handler to return { status, headers, body }, got undefined/],
    ['null', null, /got null/],
    ['a list', [201], /got a list of 1/],
    ['a text, which is not repeated', 'secret', /got a string of 6 characters$/],
    ['the response', response, /got the response$/],
    ['an unknown member', { stats: 201 }, /answer\.stats: expected a known option; did you mean status\?/],
    ['a status that is a text', { status: '201' }, /answer\.status: expected an integer from 200 to 599/],
    ['a status below 200', { status: 101 }, /answer\.status: .* got 101/],
    ['a status above 599', { status: 600 }, /answer\.status: .* got 600/],
    ['a status that is no integer', { status: 200.5 }, /answer\.status: .* got 200\.5/],
    ['headers in a list', { headers: ['a', 'b'] }, /answer\.headers: expected an object/],
    ['Headers', { headers: new Headers({ a: 'b' }) }, /answer\.headers: expected an object/],
    ['a header name with a space', { headers: { 'X A': 'b' } }, /answer\.headers/],
    ['a header name that is empty', { headers: { '': 'b' } }, /answer\.headers/],
    ['a header that splits the answer', { headers: { 'X-A': 'b\r\nX-B: c' } }, /answer\.headers/],
    ['a list that splits the answer', { headers: { Link: ['a', 'b\n'] } }, /answer\.headers/],
    ['a header without a value', { headers: { 'X-A': undefined } }, /answer\.headers/],
    ['a header that is an object', { headers: { 'X-A': {} } }, /answer\.headers/],
    ['a list of numbers', { headers: { 'X-A': [1] } }, /answer\.headers/],
    ['a body with a circle', { body: circle }, /answer\.body: expected a string, a Uint8Array or a value/],
    ['a body with a bigint', { body: { n: 1n } }, /answer\.body: .* got an object/],
    ['a function', { body: () => 1 }, /answer\.body: .* got a function/],
    ['a stream', { body: Readable.from(['a']) }, /answer\.body: .* wait for promises and streams/],
    ['a web stream', { body: new Blob(['a']).stream() }, /answer\.body/],
    ['a promise', { body: Promise.resolve('a') }, /answer\.body/],
    ['a fetch response', new Response('a'), /answer\.(headers|body)/],
  ])('is a fault of the server: %s', (_title, returned, message) => {
    expect(() => readAnswer(returned)).toThrow(ConfigurationError)
    expect(() => readAnswer(returned)).toThrow(message)
  })

  it('names all faults together', () => {
    expect(() => readAnswer({ status: 1, headers: 2, body: 3n })).toThrow(/^3 faults:/)
  })
})
