import { generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { captureOutput, expectNoKeyIn } from '../../lib/testing/testing.js'
import { CLIENT, honest, hostWith, SCOPE } from '../support/broken-host.js'
import { clientKey, signAssertion } from '../support/client-assertion.js'
import { signProof } from '../support/proof.js'

const { kit } = hostWith(honest)
let key: string
let token: string

beforeAll(async () => {
  key = await kit.testKey({ scope: SCOPE })
  token = await kit.testAccessToken({ scope: SCOPE })
})

/** The message about captured values. It must not contain any part of a secret. */
function messageOf(captured: unknown, secrets?: readonly string[]): string {
  try {
    expectNoKeyIn(captured, secrets && { secrets })
  } catch (error) {
    expect(error).toMatchObject({ name: 'AssertionError', code: 'ERR_ASSERTION' })
    kit.expectNoKeyIn(inspect(error, { depth: null, showHidden: true }))
    return String((error as Error).message)
  }
  return ''
}

/** Throws when it is read. */
const broken = Object.defineProperty({}, 'member', {
  enumerable: true,
  get() {
    throw new Error('cannot read')
  },
})

describe('expectNoKeyIn()', () => {
  it('finds a key wherever an object leads to, and names the place', () => {
    const circular: Record<string, unknown> = { key }
    circular['self'] = circular
    const hidden = Object.defineProperty({}, 'hidden', { value: key, enumerable: false })
    const captured: readonly (readonly [unknown, string])[] = [
      [`Authorization: Bearer ${key}`, 'captured contains'],
      [['fine', { headers: { authorization: `DPoP ${key}` } }], 'captured[1].headers.authorization contains'],
      [Buffer.from(`x=${key}`), 'captured contains'],
      [new TextEncoder().encode(key).buffer, 'captured contains'],
      [new Error(`failed for ${key}`), 'captured.message contains'],
      [new Error('failed', { cause: { key } }), 'captured.cause.key contains'],
      [new Map([['a', { [key]: 1 }]]), 'the names in an entry of captured[1] contains'],
      [new Set([key]), 'an entry of captured contains'],
      [new Headers({ authorization: `Bearer ${key}` }), 'an entry of captured[1] contains'],
      [new URLSearchParams({ token: key }), 'an entry of captured[1] contains'],
      [{ toJSON: () => ({ key }) }, 'captured.toJSON().key contains'],
      [hidden, 'captured.hidden contains'],
      [{ [Symbol('s')]: key }, 'captured[a symbol] contains'],
      [
        {
          get computed() {
            return key
          },
        },
        'captured.computed contains',
      ],
      [circular, 'captured.key contains'],
      [{ 'a name with spaces': key }, 'captured.(a property) contains'],
    ]
    for (const [value, place] of captured)
      expect(messageOf(value)).toContain(`\n  ${place} a provisioning key (key_id `)
  })

  it('names the kind of each secret', async () => {
    const pair = clientKey('ES256')
    const proof = signProof(pair, { method: 'GET', url: 'https://api.example.com/' })
    const assertion = signAssertion(pair, { clientId: 'a', audience: 'https://a.example', now: 0 })
    const kinds = [key, token, proof, assertion, `client-7.${'a'.repeat(43)}`].map((text) =>
      /contains (a[\w ]+)/.exec(messageOf(text))?.[1]?.trim(),
    )
    expect(kinds).toEqual([
      'a provisioning key',
      'an access token',
      'a DPoP proof',
      expect.stringMatching(/^a (client assertion|JWT)$/),
      'a registration access token',
    ])
  })

  it('finds a key that two chunks of a stream divide', () => {
    const chunks = [key.slice(0, 50), Buffer.from(key.slice(50))]
    expect(messageOf(chunks)).toContain('captured, joined contains a provisioning key')
  })

  it.each([
    ['as it is', (secret: string) => secret],
    ['in a URL', (secret: string) => `/token?client_secret=${encodeURIComponent(secret)}`],
    ['in JSON', (secret: string) => JSON.stringify({ secret })],
    ['in Basic', (secret: string) => `Basic ${Buffer.from(`fleet:${secret}`).toString('base64')}`],
    ['in part', (secret: string) => `secret=${secret.slice(0, 20)}...`],
  ])('finds another secret %s', (_, write) => {
    const secret = 'a secret with "quotes" & more+'
    expect(messageOf(write(secret), [secret])).toContain('a secret of this test, or 20 characters of it')
  })

  it('finds the secret of the client and every key of its kit, even in part', () => {
    expect(() => kit.expectNoKeyIn(`sent ${CLIENT.clientSecret}`)).toThrow('a secret of this test')
    expect(() => kit.expectNoKeyIn(`sent ...${key.slice(-40)}`)).toThrow('a secret of this test')
  })

  it('accepts identifiers, hashes, the beginning of a key, and values that cannot be read', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const harmless = [
      { keyId: 'b'.repeat(27), size: 3, when: new Date(0), none: null, nothing: undefined, big: 1n },
      `${key.slice(0, 30)}...`,
      'd'.repeat(64),
      publicKey,
      broken,
      [],
    ]
    kit.expectNoKeyIn(harmless)
  })

  it('searches as many lines as a log can have', () => {
    const lines = Array.from({ length: 200_000 }, (_, i) => `line ${i}`)
    expect(messageOf([...lines, key])).toContain('captured[200000] contains a provisioning key')
  })

  it('lists five places, and counts the others', () => {
    const message = messageOf(Array.from({ length: 8 }, () => ({ key })))
    expect(message.match(/contains/g)).toHaveLength(5)
    expect(message).toContain('\n  and 3 more\n')
  })

  it('refuses a secret that would be found everywhere', () => {
    expect(() => expectNoKeyIn('', { secrets: ['short'] })).toThrow(
      'secrets: expected at least 8 characters each',
    )
  })
})

describe('captureOutput()', () => {
  it('notes what the console and the streams get, and passes it on', () => {
    const printed: unknown[] = []
    const spies = [
      jest.spyOn(console, 'warn').mockImplementation((...values) => void printed.push(...values)),
      jest.spyOn(process.stderr, 'write').mockImplementation((chunk) => printed.push(chunk) > 0),
    ]
    const output = captureOutput()
    const print = (...values: string[]) => Reflect.get(console, 'warn')(...values)
    print('a %s', 'b')
    process.stderr.write(Buffer.from('c'))
    const texts = output.release()
    print('later')
    for (const spy of spies) spy.mockRestore()
    expect(texts).toEqual(['a b', 'c'])
    expect(printed).toEqual(['a %s', 'b', Buffer.from('c'), 'later'])
  })

  /** Replaces the console and a stream by functions that print nothing, while `work` runs. */
  function withoutPrinting(work: () => void): void {
    const spies = [
      jest.spyOn(console, 'warn').mockReturnValue(undefined),
      jest.spyOn(process.stderr, 'write').mockReturnValue(true),
    ]
    try {
      work()
    } finally {
      for (const spy of spies) spy.mockRestore()
    }
  }

  it.each(['first', 'second'])(
    'ends with the other captures that overlap it, if the %s ends first',
    (which) => {
      withoutPrinting(() => {
        const originals = [Reflect.get(console, 'warn'), process.stderr.write]
        const captures = [captureOutput(), captureOutput()]
        process.stderr.write('both')
        const [ended, other] = which === 'first' ? captures : captures.reverse()
        const texts = ended?.release()
        process.stderr.write('one')
        expect(other?.release()).toEqual(['both', 'one'])
        expect([Reflect.get(console, 'warn'), process.stderr.write]).toEqual(originals)
        process.stderr.write('none')
        expect([texts, other?.release()]).toEqual([['both'], ['both', 'one']])
      })
    },
  )

  it('notes nothing after its end, even if somebody has replaced the console meanwhile', () => {
    withoutPrinting(() => {
      const output = captureOutput()
      const { write } = process.stderr
      process.stderr.write = (text) => write.call(process.stderr, text)
      process.stderr.write('a')
      expect(output.release()).toEqual(['a'])
      process.stderr.write('b')
      expect(output.release()).toEqual(['a'])
      process.stderr.write = write
      const later = captureOutput()
      process.stderr.write('c')
      expect(later.release()).toEqual(['c'])
    })
  })
})
