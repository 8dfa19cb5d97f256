import { Console } from 'node:console'
import crypto from 'node:crypto'
import { format, inspect } from 'node:util'
import fc from 'fast-check'
import { ConfigurationError } from '../../lib/base/errors.js'
import {
  hashSecret,
  isSecretHash,
  randomSecret,
  Secret,
  scrub,
  secretMatches,
} from '../../lib/base/secret.js'
import { compact } from '../support/compact.js'
import { cpuSecondsOf } from '../support/cpu-time.js'
import { SIGNING_KEY } from '../support/deployed.js'

const TEXT = 'correct-horse-battery-staple'

describe('Secret', () => {
  const secret = new Secret(TEXT)
  const WAYS: [string, () => unknown][] = [
    ['String()', () => String(secret)],
    ['a template', () => `${secret}`],
    ['concatenation', () => `${''}${secret}`.concat(secret as never)],
    ['toLocaleString', () => secret.toLocaleString()],
    ['JSON', () => JSON.stringify({ secret, list: [secret] })],
    ['inspect', () => inspect(secret)],
    [
      'inspect of everything around it',
      () => inspect({ deep: [{ secret }] }, { depth: null, showHidden: true }),
    ],
    [
      'inspect that skips custom inspection',
      () => inspect(secret, { customInspect: false, showHidden: true }),
    ],
    ['what console formats', () => ['%s', '%o', '%O', '%j', '%d'].map((how) => format(how, secret)).join()],
    ['an error made of it', () => inspect(new Error(`refused ${secret}`, { cause: secret }))],
    [
      'its names and members',
      () => inspect([Object.entries(secret), Reflect.ownKeys(secret), { ...secret }]),
    ],
    ['a structured clone', () => inspect(structuredClone(secret), { showHidden: true })],
    ['a number', () => Number(secret)],
  ]
  it.each(WAYS)('does not print through %s', (_, print) => {
    expect(String(print())).not.toContain(TEXT)
  })

  it('does not print to the console', () => {
    const written: string[] = []
    const write = jest
      .spyOn(process.stdout, 'write')
      .mockImplementation((text) => written.push(String(text)) > 0)
    try {
      new Console(process.stdout).log('%s', secret, secret, { secret }, [secret])
    } finally {
      write.mockRestore()
    }
    expect(written.join('')).toContain('[redacted]')
    expect(written.join('')).not.toContain(TEXT)
  })

  it('shows itself on request', () => {
    expect(secret.reveal()).toBe(TEXT)
  })
})

describe('hashSecret and secretMatches', () => {
  it('match a secret and its own hash, and no other secret', () => {
    const secrets = fc.string({ minLength: 24, unit: 'grapheme' })
    fc.assert(
      fc.property(secrets, secrets, (secret, other) => {
        const hash = hashSecret(secret)
        expect(isSecretHash(hash)).toBe(true)
        expect(secretMatches(new Secret(secret), hash)).toBe(true)
        expect(secretMatches(new Secret(other), hash)).toBe(secret === other)
      }),
    )
  })

  it('hash with another salt each time, and keep nothing of the secret', () => {
    const hashes = Array.from({ length: 20 }, () => hashSecret(TEXT))
    expect(new Set(hashes).size).toBe(20)
    expect(hashes.join()).not.toContain(TEXT)
  })

  it.each([TEXT, '', ' ', 'x'.repeat(100_000)])('match nothing where there is no hash', (presented) => {
    expect(secretMatches(new Secret(presented), undefined)).toBe(false)
  })

  const hash = hashSecret(TEXT)
  const MANGLED = [
    '',
    TEXT,
    hash.slice(0, -1),
    `${hash}A`,
    hash.replace('sha256', 'sha512'),
    ` ${hash}`,
    `${hash}\n`,
  ]
  it.each(MANGLED)('never match a text that is no hash', (mangled) => {
    expect(isSecretHash(mangled)).toBe(false)
    expect(secretMatches(new Secret(TEXT), mangled)).toBe(false)
    expect(secretMatches(new Secret(''), mangled)).toBe(false)
  })

  it.each(['', 'short', 'x'.repeat(23), undefined, null, 12345678])(
    'refuse to hash %j, too short to be one',
    (short) => {
      expect(() => hashSecret(short as string)).toThrow(ConfigurationError)
    },
  )

  it('refuse to hash a secret that a stranger can guess, and say how to generate one', () => {
    expect(() => hashSecret('hunter22')).toThrow(
      'secret: expected at least 24 characters (generate one: openssl rand -hex 32), got a string of 8 characters',
    )
  })

  const KINDS: [string, string, string | undefined][] = [
    ['is right', TEXT, hash],
    ['is wrong', 'wrong-horse-battery-staple-1', hash],
    ['has another length', 'x', hash],
    ['is of an unknown client', TEXT, undefined],
  ]
  it.each(KINDS)('do the same work when the secret %s', (_, presented, kept) => {
    const spies = (['createHmac', 'timingSafeEqual'] as const).map((name) => jest.spyOn(crypto, name))
    try {
      secretMatches(new Secret(presented), kept)
      expect(spies.map((spy) => spy.mock.calls.length)).toEqual([1, 1])
      const compared = spies[1]?.mock.calls[0] as unknown as [Buffer, Buffer]
      expect(compared.map(({ length }) => length)).toEqual([32, 32])
    } finally {
      for (const spy of spies) spy.mockRestore()
    }
  })
})

describe('randomSecret', () => {
  it('has 256 bits and is never the same', () => {
    const secrets = Array.from({ length: 100 }, randomSecret)
    expect(new Set(secrets).size).toBe(100)
    expect(secrets.every((secret) => Buffer.from(secret, 'base64url').length === 32)).toBe(true)
  })
})

describe('scrub', () => {
  const token = compact({ alg: 'ES256', typ: 'provisioning-key+jwt' }, { jti: 'a', sub: 'b' }, SIGNING_KEY)
  const parts = token.split('.')

  it.each([
    `jwt malformed: ${token}`,
    `${token}`,
    `Unexpected token in "${token}"`,
    `https://a.example/?token=${token}&x=1`,
    `{"access_token":"${token}"}`,
    `Bearer ${token}\nBearer ${token}`,
    `subject_token=${encodeURIComponent(token)}%26`,
    `key ${parts.slice(0, 2).join('.')}`,
    `key ${parts[0]}`,
    `key ${token.slice(0, -10)}...`,
    `key .${parts.slice(1).join('.')}`,
  ])('takes a JWT and each part of it out of a message', (message) => {
    const scrubbed = scrub(message)
    expect(scrubbed).toContain('[redacted]')
    for (const part of parts) expect(scrubbed).not.toContain(part.slice(0, 24))
  })

  it.each([
    'The key expired 42 s ago.',
    'Expected a key for https://api.example.com.',
    'connect ECONNREFUSED 127.0.0.1:6379',
  ])('leaves an ordinary message as it is: %s', (message) => {
    expect(scrub(message)).toBe(message)
  })

  it('takes no time over a long message', async () => {
    const texts = ['a.'.repeat(100_000), 'eyJ'.repeat(100_000), '.'.repeat(200_000)]
    expect(await cpuSecondsOf(() => texts.map(scrub))).toBeLessThan(2)
  })
})
