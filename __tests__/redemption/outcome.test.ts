import fc from 'fast-check'
import { OutcomeCipher, requestDigest } from '../../lib/redemption/outcome.js'

const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.eyJqdGkiOiJhIn0.c2lnbmF0dXJl'
const OUTCOME = Buffer.from('{"client_secret":"correct horse"}')
const REQUEST = requestDigest('register', { a: 1 })

describe('outcomeSealer', () => {
  it('decrypts its own outcomes, with any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.string(), (bytes, request) => {
        const sealed = new OutcomeCipher(TOKEN).seal(Buffer.from(bytes), request)
        expect(new OutcomeCipher(TOKEN).open(sealed, request)).toEqual(Buffer.from(bytes))
      }),
    )
  })

  it('seals the same twice in two ways, both without anything of it to read', () => {
    const cipher = new OutcomeCipher(TOKEN)
    const sealed = [1, 2].map(() => cipher.seal(OUTCOME, REQUEST))
    expect(new Set(sealed).size).toBe(2)
    for (const text of sealed) {
      expect(text).toMatch(/^[\w-]+$/)
      expect(Buffer.from(text, 'base64url').includes('client_secret')).toBe(false)
    }
  })

  it('opens nothing for another key, nor for another request', () => {
    const sealed = new OutcomeCipher(TOKEN).seal(OUTCOME, REQUEST)
    expect(new OutcomeCipher(`${TOKEN.slice(0, -4)}AAAA`).open(sealed, REQUEST)).toBeUndefined()
    expect(new OutcomeCipher(TOKEN).open(sealed, requestDigest('register', { a: 2 }))).toBeUndefined()
    expect(new OutcomeCipher(TOKEN).open(sealed, '')).toBeUndefined()
  })

  it('opens for every spelling of the same key', () => {
    // The last of 43 characters has four spare bits.
    const [head, spellings] = ['a.b.', ['A', 'B', 'C', 'D'].map((last) => 'x'.repeat(42) + last)]
    const sealed = new OutcomeCipher(head + spellings[0]).seal(OUTCOME, REQUEST)
    for (const spelling of spellings)
      expect(new OutcomeCipher(head + spelling).open(sealed, REQUEST)).toEqual(OUTCOME)
    expect(new OutcomeCipher(`${head}${'x'.repeat(42)}E`).open(sealed, REQUEST)).toBeUndefined()
  })

  it('opens nothing that was changed or cut anywhere', () => {
    const cipher = new OutcomeCipher(TOKEN)
    const bytes = Buffer.from(cipher.seal(OUTCOME, REQUEST), 'base64url')
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(bytes.readUInt8(at) ^ 1, at)
      expect(cipher.open(changed.toString('base64url'), REQUEST)).toBeUndefined()
      expect(cipher.open(bytes.subarray(0, at).toString('base64url'), REQUEST)).toBeUndefined()
    }
    for (const text of ['', 'AQ', '!', 'A'.repeat(100)]) expect(cipher.open(text, REQUEST)).toBeUndefined()
  })
})

describe('requestDigest', () => {
  it('is the same for the same parts only', () => {
    expect(requestDigest('a', { b: ['c'] })).toBe(requestDigest('a', { b: ['c'] }))
    const others = [['a', 'b'], ['ab'], [['a', 'b']], ['a', { b: 1 }], ['a', { b: '1' }], ['a', null], ['a']]
    expect(new Set(others.map((parts) => requestDigest(...parts))).size).toBe(others.length)
  })
})
