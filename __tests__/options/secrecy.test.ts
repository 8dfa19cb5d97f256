import { generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { ConfigurationError } from '../../lib/base/errors.js'
import { parseOptions } from '../../lib/options/options.js'
import type { ProvisioningOptions } from '../../lib/options/provisioning-options.js'
import { SECRET, workingOptions } from '../support/deployed.js'
import { parse } from './faults-of.js'

/** Secrets that no fault may contain, in each form of an option. */
const SAID = 'hunter2'
const NUMBER = 20_871_433
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
const pem = weak.export({ format: 'pem', type: 'pkcs8' }) as string
const jwk = weak.export({ format: 'jwk' })
const client = { clientId: 'ci', policy: { scopes: ['devices:read'] } }

const PLACES: [string, object][] = [
  ['a short secret', { clients: [{ ...client, clientSecret: SAID }] }],
  ['a secret that is a number', { clients: [{ ...client, clientSecret: NUMBER }] }],
  ['a secret in a list', { clients: [{ ...client, clientSecret: [SAID] }] }],
  ['a secret in place of a hash', { clients: [{ ...client, secretHash: SAID }] }],
  ['a number in place of a hash', { clients: [{ ...client, secretHash: NUMBER }] }],
  ['a secret and a hash', { clients: [{ ...client, clientSecret: `${SAID}-${SAID}`, secretHash: SAID }] }],
  ['a secret under another name', { clients: [{ ...client, clientSecret: SAID, password: NUMBER }] }],
  ['a client as a text', { clients: [`ci:${SAID}`] }],
  ['a client as a number', { clients: [NUMBER] }],
  ['clients as JSON', { clients: JSON.stringify([{ clientId: 'ci', clientSecret: SAID }]) }],
  ['clients by their ids', { clients: { ci: SAID } }],
  ['a secret as signing key', { signingKeys: SAID }],
  [
    'a secret as one of the signing keys',
    { signingKeys: [SAID, { key: SAID }, { key: SAID, alg: 'HS256' }] },
  ],
  ['a weak signing key as PEM', { signingKeys: pem }],
  ['a weak signing key as JWK', { signingKeys: jwk }],
  ['a weak signing key, wrapped', { signingKeys: [{ key: pem }, { key: jwk, alg: 'none' }, weak] }],
  ['a PEM cut short', { signingKeys: pem.slice(0, 200) }],
  ['a short secret as JWK', { signingKeys: { kty: 'oct', k: Buffer.from(SAID).toString('base64url') } }],
  [
    'the address of a store',
    { store: `redis://:${SAID}@redis:6379`, rateLimit: { store: `redis://${SAID}` } },
  ],
  ['credentials in the issuer', { issuer: `https://ci:${SAID}@auth.example.com` }],
  ['credentials in an audience', { audience: [`https://ci:${SAID}@*.example.com`] }],
]

const SECRETS = [
  SAID,
  String(NUMBER),
  Buffer.from(SAID).toString('base64url'),
  jwk.d,
  jwk.n,
  pem.slice(60, 120),
]

function messageOf(options: unknown): string {
  try {
    parseOptions(options as ProvisioningOptions)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError)
    return inspect(error, { depth: null, showHidden: true })
  }
  throw new Error('expected a fault, but there was none')
}

describe('no fault has in it', () => {
  it.each(PLACES)('%s', (_, options) => {
    const message = messageOf({ ...workingOptions(), ...options })
    for (const secret of SECRETS) expect(message).not.toContain(secret)
  })

  it('options that were never parsed from JSON', () => {
    expect(messageOf(JSON.stringify({ clients: [{ clientSecret: SAID }] }))).not.toContain(SAID)
  })
})

describe('a parsed configuration', () => {
  it('has no secret in it that could be printed', async () => {
    const config = parse()
    const client = await config.deployment.registry.find('ci-runner')
    const printed =
      inspect([config, client], { depth: null, showHidden: true }) + JSON.stringify([config, client])
    expect(printed).toContain('auth.example.com')
    expect(printed).not.toContain(SECRET)
  })
})
