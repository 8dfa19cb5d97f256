import { constants, createHash, generateKeyPairSync, type KeyObject, privateEncrypt, sign } from 'node:crypto'
import { importPublicJwk } from '../../lib/jose/jwk.js'
import { parseJws, verifiesWith } from '../../lib/jose/jws.js'
import { encodePart } from '../support/compact.js'

/** Whether a signature is accepted. No signature is accepted for a key that cannot be imported. */
function passes(alg: string, key: KeyObject, signature: Buffer): boolean {
  const jws = parseJws(`${inputFor(alg)}.${signature.toString('base64url')}`)
  return typeof jws !== 'string' && verifiesWith(jws, key)
}

function inputFor(alg: string): string {
  return `${encodePart({ alg })}.${encodePart({ a: 1 })}`
}

function bigEndian(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex')}`)
}

function toBytes(number: bigint, length: number): Buffer {
  return Buffer.from(number.toString(16).padStart(2 * length, '0'), 'hex')
}

const CURVES = [
  ['ES256', 'P-256', 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n, 32],
  [
    'ES384',
    'P-384',
    0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    48,
  ],
  [
    'ES512',
    'P-521',
    BigInt(`0x1${'f'.repeat(65)}a51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409`),
    66,
  ],
] as const

describe.each(CURVES)('a signature of %s', (alg, namedCurve, order, length) => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve })
  const made = (dsaEncoding: 'ieee-p1363' | 'der') =>
    sign(`sha${alg === 'ES512' ? 512 : alg.slice(2)}`, Buffer.from(inputFor(alg)), {
      key: privateKey,
      dsaEncoding,
    })
  const good = made('ieee-p1363')
  const [r, s] = [bigEndian(good.subarray(0, length)), bigEndian(good.subarray(length))]
  const of = (first: bigint, second: bigint) =>
    Buffer.concat([toBytes(first, length), toBytes(second, length)])

  it('passes as it is', () => {
    expect(passes(alg, publicKey, good)).toBe(true)
    expect(passes(alg, publicKey, of(r, s))).toBe(true)
  })

  const WRONG: [string, () => Buffer][] = [
    ['r is 0', () => of(0n, s)],
    ['s is 0', () => of(r, 0n)],
    ['both are 0', () => of(0n, 0n)],
    ['both are 1', () => of(1n, 1n)],
    ['r is the order', () => of(order, s)],
    ['s is the order', () => of(r, order)],
    ['r and s are the order', () => of(order, order)],
    ['r is the order and s is 0', () => of(order, 0n)],
    ['r is as large as there is room', () => of((1n << BigInt(8 * length)) - 1n, s)],
    ['s is as large as there is room', () => of(r, (1n << BigInt(8 * length)) - 1n)],
    ['r and s are exchanged', () => of(s, r)],
    ['r is negated', () => of(order - r, s)],
    ['it is DER', () => made('der')],
    ['it is in raw form with a header byte', () => Buffer.concat([Buffer.from([4]), good])],
    [
      'it has zeros before each half',
      () => Buffer.concat([Buffer.alloc(1), toBytes(r, length), Buffer.alloc(1), toBytes(s, length)]),
    ],
    ['it has zeros at its end', () => Buffer.concat([good, Buffer.alloc(2)])],
    ['it is cut', () => good.subarray(0, -1)],
    ['it is one half', () => good.subarray(0, length)],
    ['it is of a shorter curve', () => Buffer.alloc(48, 1)],
    ['it is 4000 bytes long', () => Buffer.alloc(4000, 1)],
  ]
  it.each(WRONG)('is refused when %s', (_, make) => {
    expect(passes(alg, publicKey, make())).toBe(false)
  })

  if (namedCurve === 'P-521') {
    it('is refused when the order is added to r or s, for which there is room', () => {
      expect([of(r + order, s), of(r, s + order)].map((one) => passes(alg, publicKey, one))).toEqual([
        false,
        false,
      ])
    })
  }

  it('has a twin, which ECDSA cannot tell apart: nothing may go by the bytes of a signature', () => {
    expect(passes(alg, publicKey, of(r, order - s))).toBe(true)
  })
})

/** DER before a SHA-256 hash in PKCS #1 v1.5 (RFC 8017 9.2). */
const DIGEST_INFO = Buffer.from('3031300d060960864801650304020105000420', 'hex')
const DIGEST_INFO_WITHOUT_NULL = Buffer.from('302f300b0609608648016503040201 0420'.replaceAll(' ', ''), 'hex')
const SHA1_INFO = Buffer.from('3021300906052b0e03021a05000414', 'hex')

describe('a signature of RS256', () => {
  const BYTES = 256
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 8 * BYTES })
  const input = Buffer.from(inputFor('RS256'))
  const hash = createHash('sha256').update(input).digest()
  const raw = (encoded: Buffer) =>
    privateEncrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, encoded)
  /** `00 type FF .. FF 00 rest`, with as many FF as fit. */
  const padded = (rest: Buffer, { type = 1, fill = 0xff, after = Buffer.alloc(0) } = {}) => {
    const filling = Buffer.alloc(BYTES - 3 - rest.length - after.length, fill)
    return Buffer.concat([Buffer.from([0, type]), filling, Buffer.from([0]), rest, after])
  }
  const info = Buffer.concat([DIGEST_INFO, hash])
  const good = raw(padded(info))

  it('passes as it is', () => {
    expect(passes('RS256', publicKey, good)).toBe(true)
    expect(good).toEqual(sign('sha256', input, privateKey))
  })

  const sha1 = createHash('sha1').update(input).digest()
  const WRONG: [string, () => Buffer][] = [
    [
      'the NULL of its algorithm is missing',
      () => raw(padded(Buffer.concat([DIGEST_INFO_WITHOUT_NULL, hash]))),
    ],
    ['its hash is SHA-1', () => raw(padded(Buffer.concat([SHA1_INFO, sha1])))],
    ['it is the hash alone', () => raw(padded(hash))],
    ['its padding is of type 2', () => raw(padded(info, { type: 2 }))],
    ['its padding is of type 0', () => raw(padded(info, { type: 0, fill: 0 }))],
    ['its padding is not all ones', () => raw(padded(info, { fill: 0xfe }))],
    ['bytes come after the hash', () => raw(padded(info, { after: Buffer.alloc(1) }))],
    [
      'bytes come after 8 bytes of padding',
      () => raw(padded(info, { after: Buffer.alloc(BYTES - 11 - info.length, 7) })),
    ],
    [
      'a length in its algorithm is in the long form',
      () => raw(padded(Buffer.concat([Buffer.from('308131', 'hex'), info.subarray(2)]))),
    ],
    [
      'it is by PSS',
      () =>
        sign('sha256', input, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
    ],
    ['its hash is SHA-512', () => sign('sha512', input, privateKey)],
    ['a zero comes before it', () => Buffer.concat([Buffer.alloc(1), good])],
    ['a zero comes after it', () => Buffer.concat([good, Buffer.alloc(1)])],
    ['it is cut', () => good.subarray(1)],
    ['it is 0', () => Buffer.alloc(BYTES)],
    ['it is 1', () => toBytes(1n, BYTES)],
    ['it is the modulus', () => Buffer.from(publicKey.export({ format: 'jwk' }).n ?? '', 'base64url')],
  ]
  it.each(WRONG)('is refused when %s', (_, make) => {
    expect(passes('RS256', publicKey, make())).toBe(false)
  })

  it('cannot be made of a cube root where the exponent is 3 (Bleichenbacher 2006)', () => {
    const key = generateKeyPairSync('rsa', { modulusLength: 8 * BYTES, publicExponent: 3 }).publicKey
    const start = Buffer.concat([Buffer.from([0, 1, ...Array(8).fill(0xff), 0]), info])
    const wanted = bigEndian(Buffer.concat([start, Buffer.alloc(BYTES - start.length, 0xff)]))
    const root = cubeRoot(wanted)
    expect(toBytes(root ** 3n, BYTES).subarray(0, start.length)).toEqual(start)
    expect(passes('RS256', key, toBytes(root, BYTES))).toBe(false)
  })
})

/** The integer part of the cube root. */
function cubeRoot(number: bigint): bigint {
  let [low, high] = [0n, 1n << BigInt((number.toString(2).length / 3 + 2) | 0)]
  while (low < high) {
    const middle = (low + high + 1n) / 2n
    if (middle ** 3n <= number) low = middle
    else high = middle - 1n
  }
  return low
}

describe('a signature of PS256', () => {
  const { publicKey, privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const input = Buffer.from(inputFor('PS256'))
  const padding = constants.RSA_PKCS1_PSS_PADDING

  it.each([0, 1, 20, 31, 33, 64, 222])('is refused with a salt of %i bytes (RFC 7518 3.5)', (saltLength) => {
    expect(passes('PS256', publicKey, sign('sha256', input, { key, padding, saltLength }))).toBe(false)
  })

  it('passes with a salt of 32 bytes, and no other hash', () => {
    const made = (digest: string) => sign(digest, input, { key, padding, saltLength: 32 })
    expect(
      ['sha256', 'sha1', 'sha384', 'sha512'].map((digest) => passes('PS256', publicKey, made(digest))),
    ).toEqual([true, false, false, false])
  })

  it('is refused when it is by PKCS #1 v1.5', () => {
    expect(passes('PS256', publicKey, sign('sha256', input, key))).toBe(false)
  })
})

describe('a signature of Ed25519', () => {
  const ORDER = (1n << 252n) + 27742317777372353535851937790883648493n
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const good = sign(null, Buffer.from(inputFor('Ed25519')), privateKey)
  const littleEndian = (number: bigint) => Buffer.from(toBytes(number, 32)).reverse()
  const s = bigEndian(Buffer.from(good.subarray(32)).reverse())
  const of = (second: Buffer) => Buffer.concat([good.subarray(0, 32), second])

  it('passes as it is', () => {
    expect(passes('Ed25519', publicKey, of(littleEndian(s)))).toBe(true)
  })

  const WRONG: [string, () => Buffer][] = [
    ['S is not below the order (RFC 8032 5.1.7)', () => of(littleEndian(s + ORDER))],
    ['S is twice the order more', () => of(littleEndian(s + 2n * ORDER))],
    ['S is 0', () => of(Buffer.alloc(32))],
    ['S is the order', () => of(littleEndian(ORDER))],
    ['S is all ones', () => of(Buffer.alloc(32, 0xff))],
    ['S is negated', () => of(littleEndian(ORDER - s))],
    ['R is no point', () => Buffer.concat([Buffer.alloc(32, 0xff), good.subarray(32)])],
    ['R is the neutral point', () => Buffer.concat([littleEndian(1n), good.subarray(32)])],
    ['it is all zeros', () => Buffer.alloc(64)],
    ['it is cut', () => good.subarray(0, 63)],
    ['it is longer', () => Buffer.concat([good, Buffer.alloc(1)])],
  ]
  it.each(WRONG)('is refused when %s', (_, make) => {
    expect(passes('Ed25519', publicKey, make())).toBe(false)
  })

  describe('by a key of small order', () => {
    const P = (1n << 255n) - 19n
    const D = mod(-121665n * power(121666n, P - 2n))

    function mod(number: bigint): bigint {
      return ((number % P) + P) % P
    }
    function power(base: bigint, exponent: bigint): bigint {
      let [result, square, left] = [1n, mod(base), exponent]
      for (; left > 0n; left >>= 1n, square = mod(square * square))
        if (left & 1n) result = mod(result * square)
      return result
    }
    /** RFC 8032 5.1.4, in affine coordinates. */
    function add(
      [x1, y1]: readonly [bigint, bigint],
      [x2, y2]: readonly [bigint, bigint],
    ): readonly [bigint, bigint] {
      const t = mod(D * x1 * x2 * y1 * y2)
      const x = mod((x1 * y2 + x2 * y1) * power(1n + t, P - 2n))
      return [x, mod((y1 * y2 + x1 * x2) * power(1n - t + P, P - 2n))]
    }
    function rootsOf(square: bigint): bigint[] {
      const root = power(square, (P + 3n) / 8n)
      const candidates = [root, mod(root * power(2n, (P - 1n) / 4n))]
      return candidates.filter((x) => mod(x * x) === mod(square)).flatMap((x) => [x, mod(-x)])
    }
    /** RFC 8032 5.1.3; `undefined` if there is no such point. */
    function xOf(y: bigint): bigint | undefined {
      return rootsOf(mod((y * y - 1n) * power(D * y * y + 1n, P - 2n)))[0]
    }
    function isOfSmallOrder(y: bigint): boolean {
      const x = xOf(mod(y))
      if (x === undefined) return false
      let point: readonly [bigint, bigint] = [x, mod(y)]
      for (let doubling = 0; doubling < 3; doubling += 1) point = add(point, point)
      return point[0] === 0n && point[1] === 1n
    }

    // The double of a point of order 8 has order 4 and y = 0, so d y^4 + 2 y^2 = 1.
    const squares = rootsOf(1n + D).map((root) => mod((root - 1n) * power(D, P - 2n)))
    const ORDER_EIGHT = [...new Set(squares.flatMap(rootsOf))]
    const YS = [0n, 1n, P - 1n, P, P + 1n, ...ORDER_EIGHT]

    it('has 7 spellings of y', () => expect(YS).toHaveLength(7))

    it.each(YS)('is refused under a key for which anybody can sign: point %#', (y) => {
      expect(isOfSmallOrder(y)).toBe(true)
      for (const sign of [0, 0x80]) {
        const bytes = littleEndian(y)
        bytes[31] = (bytes[31] ?? 0) | sign
        const jwk = { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') }
        expect(importPublicJwk(jwk)).toBe('anybody could sign for it')
      }
    })

    it('is not suspected of other keys', () => {
      for (let i = 0; i < 50; i += 1) {
        const jwk = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
        expect(typeof importPublicJwk(jwk)).toBe('object')
      }
    })
  })
})
