import { kidOf, parseJws } from '../../lib/jose/jws.js'

const jws = (header: unknown, rest = '.e30.AAAA') =>
  Buffer.from(typeof header === 'string' ? header : JSON.stringify(header)).toString('base64url') + rest

describe('kidOf', () => {
  it('is the kid of the header, whatever the rest is', () => {
    expect(kidOf(jws({ kid: 'a', alg: 'none' }))).toBe('a')
    expect(kidOf(jws({ kid: 'k'.repeat(256) }, '.'))).toBe('k'.repeat(256))
  })

  it.each([undefined, null, 7, '', 'a b', 'ü', 'a\n', 'k'.repeat(257), ['a'], { a: 1 }])(
    'is none that has not the form of one: %j',
    (kid) => {
      expect(kidOf(jws({ kid }))).toBeUndefined()
    },
  )

  it.each([
    '',
    '.',
    'a.b.c',
    jws('[]'),
    jws('"kid"'),
    jws('{'),
    jws({ kid: 'a' }, ''),
    `${jws({ kid: 'a' }, '=')}.e30.A`,
  ])('is not found in a text that is no JWS: %j', (text) => {
    expect(kidOf(text)).toBeUndefined()
  })

  it('is none of a text that is too long to be looked at', () => {
    expect(kidOf(jws({ kid: 'a' }, `.${'A'.repeat(8192)}`))).toBeUndefined()
  })

  it('is none that the header inherits', () => {
    expect(kidOf(jws('{"__proto__":{"kid":"a"}}'))).toBeUndefined()
  })
})

describe('parseJws', () => {
  const part = (octets: string) => Buffer.from(octets, 'latin1').toString('base64url')

  it('reads no header and no claims that are not UTF-8', () => {
    for (const octets of ['{"a":"\xff"}', '{"a":"\xc0\x80"}', '{"a":"\xed\xa0\x80"}', '\xef\xbb\xbf{}']) {
      expect(parseJws(`${part(octets)}.e30.AAAA`)).toBe('The JWS header is not a JSON object.')
      expect(parseJws(`e30.${part(octets)}.AAAA`)).toMatchObject({ header: {}, claims: undefined })
    }
    expect(parseJws(`e30.${part('{"a":"\xc3\xbc"}')}.AAAA`)).toMatchObject({ claims: { a: 'ü' } })
  })
})
