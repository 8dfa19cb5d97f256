import { decodeCanonical } from '../../lib/base/canonical-base64.js'

describe('decodeCanonical', () => {
  it.each(['base64', 'base64url'] as const)('decodes %s in its only valid spelling', (encoding) => {
    for (let length = 0; length < 5; length++) {
      const bytes = Buffer.alloc(length, 0xfb)
      expect(decodeCanonical(bytes.toString(encoding), encoding)).toEqual(bytes)
    }
  })

  it.each<['base64' | 'base64url', string, string]>([
    ['base64url', 'YR', 'spare bits'],
    ['base64url', 'YQ==', 'padding'],
    ['base64url', '+/+/', 'characters of base64'],
    ['base64url', 'Y Q', 'a character that decoders skip'],
    ['base64url', 'Y', 'a single character'],
    ['base64', 'YQ', 'no padding'],
    ['base64', 'YR==', 'spare bits'],
    ['base64', '-_-_', 'characters of base64url'],
  ])('refuses %s as %j: it has %s', (encoding, text, _fault) => {
    expect(decodeCanonical(text, encoding)).toBeUndefined()
  })
})
