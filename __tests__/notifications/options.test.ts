import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { ConfigurationError } from '../../lib/base/errors.js'
import { securityEventTransmitter, webhook } from '../../lib/notifications/notifications.js'
import type { SecurityEventTransmitterOptions } from '../../lib/notifications/security-event-transmitter-options.js'
import type { WebhookOptions } from '../../lib/notifications/webhook-options.js'

const SECRET = `whsec_${randomBytes(32).toString('base64')}`
const URL_SECRET = 'T00000000-XXXXXXXXXXXXXXXXXXXXXXXX'
const HOOK = { url: `https://hooks.example.com/${URL_SECRET}`, secrets: [SECRET] }

const rsa = (modulusLength: number, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent })
const KEY: KeyObject = rsa(2048).privateKey
const RECEIVER = {
  url: `https://soc.example.com/${URL_SECRET}`,
  audience: 'https://soc.example.com',
  authorization: 'Bearer hunter2-hunter2-hunter2',
}
const TRANSMITTER = { issuer: 'https://auth.example.com', signingKeys: KEY, receiver: RECEIVER }

function faultsOf(make: () => unknown): readonly string[] {
  try {
    make()
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

const hookFaults = (options: object) => faultsOf(() => webhook({ ...HOOK, ...options } as WebhookOptions))
const transmitterFaults = (options: object) =>
  faultsOf(() => securityEventTransmitter({ ...TRANSMITTER, ...options } as SecurityEventTransmitterOptions))

const secretOf = (bytes: number) => `whsec_${randomBytes(bytes).toString('base64')}`

describe('the options of a webhook', () => {
  it('may have secrets of 24 to 64 bytes', () => {
    expect(hookFaults({ secrets: [secretOf(24), secretOf(64)] })).toEqual([])
  })

  it.each([
    ['too short', secretOf(23)],
    ['too long', secretOf(65)],
    ['without its prefix', randomBytes(32).toString('base64')],
    ['of a public key', `whpk_${randomBytes(32).toString('base64')}`],
    ['in base64url', `whsec_${Buffer.alloc(32, 255).toString('base64url')}`],
    ['without its padding', secretOf(32).replace(/=+$/, '')],
    ['with a line break', `${secretOf(32)}\n`],
    ['that is a number', 12_345_678],
  ])('must not have a secret %s', (_, secret) => {
    const [fault = '', ...others] = hookFaults({ secrets: [secret] })
    expect(others).toEqual([])
    expect(fault).toMatch(/^secrets\[0\]: expected whsec_ and 24 to 64 bytes in base64 \(generate one: echo/)
    expect(fault).not.toContain(String(secret))
  })

  it.each([
    [
      'no secret',
      [],
      /^secrets: expected a list of one secret, or two during a rotation, got an empty list$/,
    ],
    [
      'three secrets',
      [32, 32, 32].map(secretOf),
      /^secrets: expected a list of one secret, .* got a list of 3$/,
    ],
    [
      'one secret twice',
      [SECRET, SECRET],
      /^secrets\[1\]: expected another secret than the first, got the same/,
    ],
    [
      'a secret as text',
      SECRET,
      /^secrets: expected a list of one secret, .* got a string of \d+ characters$/,
    ],
  ])('must not have %s', (_, secrets, expected) => {
    expect(hookFaults({ secrets })).toEqual([expect.stringMatching(expected)])
  })

  it.each([
    ['http://hooks.example.com/'],
    ['https://user:password@hooks.example.com/'],
    ['https://hooks.example.com/#part'],
    ['hooks.example.com'],
    [42],
  ])('must not have the URL %s', (url) => {
    const [fault = ''] = hookFaults({ url })
    expect(fault).toMatch(/^url: expected an https URL without credentials and fragment, got a/)
    expect(fault).not.toContain(String(url))
  })

  it.each([
    ['https://localhost:8443/'],
    ['https://127.0.0.1/'],
    ['https://0x7f.1/'],
    ['https://10.1.2.3/'],
    ['https://169.254.169.254/latest/meta-data'],
    ['https://[::1]/'],
    ['https://[::ffff:192.168.0.1]/'],
    ['https://[fe80::1]/'],
  ])('may have the URL %s only with allowPrivateNetworks', (url) => {
    expect(hookFaults({ url })).toEqual([
      'url: expected a public host; for a private one, set allowPrivateNetworks, got a private address',
    ])
    expect(hookFaults({ url, allowPrivateNetworks: true })).toEqual([])
  })

  it('report all faults together, with suggestions', () => {
    const faults = hookFaults({
      url: '',
      secrets: ['hunter2'],
      types: ['key.replayd'],
      timeoutSecond: 3,
      giveUpAfterSeconds: 0,
      maxQueued: 1.5,
      ca: 'hunter2',
    })
    expect(faults).toHaveLength(7)
    expect(faults).toContainEqual(expect.stringMatching(/^timeoutSecond: .*did you mean timeoutSeconds\?/))
    expect(faults).toContainEqual(expect.stringMatching(/^types\[0\]: expected one of key\.issued, /))
    expect(faults.join()).not.toContain('hunter2')
  })

  it.each([[undefined], [null], [SECRET], [[SECRET]]])('must be an object, and not %p', (options) => {
    const faults = faultsOf(() => webhook(options as never))
    expect(faults.length).toBeGreaterThan(0)
    expect(faults.join()).not.toContain(SECRET.slice(6))
  })
})

describe('the options of a transmitter', () => {
  it('may have each form of an RSA key', () => {
    const pem = String(KEY.export({ format: 'pem', type: 'pkcs1' }))
    for (const signingKeys of [KEY, pem, KEY.export({ format: 'jwk' }), [pem], [KEY, rsa(2048).publicKey]])
      expect(transmitterFaults({ signingKeys })).toEqual([])
  })

  it.each([
    [
      'an EC key',
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
      'a private key: a key of type ec',
    ],
    ['an Ed25519 key', generateKeyPairSync('ed25519').privateKey, 'a private key: a key of type ed25519'],
    ['a weak key', rsa(1024).privateKey, 'a private key: a key of type rsa of 1024 bits'],
    ['a key with the exponent 3', rsa(2048, 3).privateKey, 'a private key: a key of type rsa of 2048 bits'],
    ['a public key', rsa(2048).publicKey, 'a public key: a key of type rsa of 2048 bits'],
    ['a key for PSS', generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey, 'a private key: '],
    ['a secret', { kty: 'oct', k: 'a'.repeat(43) }, 'a secret key: an HMAC secret'],
    ['a text', 'hunter2', 'a string of 7 characters'],
    ['nothing', undefined, 'undefined'],
  ])('must not have %s as a key that signs', (_, signingKeys, got) => {
    const [fault = '', ...others] = transmitterFaults({ signingKeys })
    expect(others).toEqual([])
    expect(fault).toContain(
      'signingKeys: expected an RSA key of 2048, 3072 or 4096 bits with the exponent 65537, as a private PEM, ',
    )
    expect(fault).toContain(`got ${got}`)
  })

  it('name the key of a list that is wrong', () => {
    const { privateKey, publicKey } = rsa(2048)
    const form = 'expected an RSA key of 2048, 3072 or 4096 bits with the exponent 65537, as a'
    expect(
      transmitterFaults({ signingKeys: [publicKey, privateKey, rsa(1024).publicKey, 'hunter2'] }),
    ).toEqual([
      `signingKeys[0]: ${form} private PEM, JWK or KeyObject, got a public key: a key of type rsa of 2048 bits`,
      `signingKeys[2]: ${form} private or public PEM, JWK or KeyObject, got a public key: a key of type rsa of 1024 bits`,
      `signingKeys[3]: ${form} private or public PEM, JWK or KeyObject, got a string of 7 characters`,
    ])
    expect(transmitterFaults({ signingKeys: [privateKey, publicKey] })).toEqual([
      expect.stringMatching(/^signingKeys\[1\]: expected a key that is not in the list yet, got /),
    ])
    expect(transmitterFaults({ signingKeys: [] })).toHaveLength(1)
  })

  it.each([['Bearer a\r\nx-injected: 1'], ['Bearer ü'], [' Bearer a'], [''], [42]])(
    'must not have the authorization %j',
    (authorization) => {
      const faults = transmitterFaults({ receiver: { ...RECEIVER, authorization } })
      expect(faults).toEqual([
        expect.stringMatching(/^receiver\.authorization: expected the value of a header/),
      ])
    },
  )

  it('report all faults together', () => {
    const faults = transmitterFaults({
      issuer: 'http://auth.example.com',
      receiver: { url: 'https://127.0.0.1/', audience: '', authorisation: 'hunter2' },
      types: ['key.issued'],
    })
    expect(faults).toEqual([
      expect.stringMatching(/^issuer: expected an https URL, got/),
      expect.stringMatching(/^receiver\.authorisation: .*did you mean authorization\?/),
      expect.stringMatching(/^receiver\.audience: expected a text that is not empty, got ""$/),
      expect.stringMatching(/^types\[0\]: expected one of key\.revoked, /),
      expect.stringMatching(/^receiver\.url: expected a public host/),
    ])
  })
})

describe('nothing that prints a notifier shows', () => {
  it('its secrets, its URL or its key', () => {
    const notifiers = [webhook(HOOK), securityEventTransmitter(TRANSMITTER)]
    const printed = notifiers
      .map((one) => inspect(one, { depth: null, showHidden: true }) + JSON.stringify([one, one.stats()]))
      .join()
    const { d = '' } = KEY.export({ format: 'jwk' })
    for (const secret of [SECRET.slice(6), URL_SECRET, 'hunter2', d.slice(0, 20)])
      expect(printed).not.toContain(secret)
    for (const one of notifiers) one.close()
  })
})
