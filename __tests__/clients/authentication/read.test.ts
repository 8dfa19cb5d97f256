import { createHmac } from 'node:crypto'
import { inspect } from 'node:util'
import fc from 'fast-check'
import type { PresentedRequest } from '../../../lib/base/request.js'
import { readClientCredentials } from '../../../lib/clients/authentication/authenticate.js'
import type { ClientCredentials } from '../../../lib/clients/authentication/credentials.js'
import type { Client } from '../../../lib/ports/client.js'
import type { Deployment } from '../../../lib/ports/deployment.js'
import { cpuSecondsOf } from '../../support/cpu-time.js'
import { parameters, refusalOf, request } from '../../support/deployed.js'

/** RFC 6749 2.3.1: form-encoded (appendix B), joined, base64. */
function basic(id: string, secret: string, encode: (text: string) => string = encodeURIComponent): string {
  return `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64')}`
}

/** The encoding of forms: + for a space, and more escapes than encodeURIComponent. */
function formEncode(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1)
}

const raw = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

function read(presented: Partial<PresentedRequest>, form: Record<string, string> = {}) {
  return readClientCredentials(request(presented), parameters(form))
}

/** Whether the credentials authenticate a client with this secret. */
function proves(credentials: ClientCredentials | undefined, secret: string): boolean {
  const salt = 'A'.repeat(22)
  const hash = createHmac('sha256', salt).update(secret).digest('base64url')
  const client = { secretHash: `hmac-sha256:${salt}:${hash}` } as Client
  const deployment = { now: () => Date.now() } as Deployment
  return credentials !== undefined && credentials.check(deployment, client) === undefined
}

function readHeader(header: string, form: Record<string, string> = {}) {
  return read({ authorization: [header] }, form)
}

describe('client_secret_basic', () => {
  it.each([
    ['ci-runner', 'secret'],
    ['https://client.example.com', 'a:b:c'],
    ['a+b', 'c+d'],
    ['a b', 'c d'],
    ['100%', '%41%zz'],
    ['a&b=c', '?#/\\"\''],
    ['client', 'pässwörd 密码 🔑'],
    ['client', ''],
    ['client', ' \t '],
    ['client', 'x'.repeat(10_000)],
  ])('reads the id %j and a secret of any characters', (id, secret) => {
    for (const header of [basic(id, secret), basic(id, secret, formEncode)]) {
      const credentials = readHeader(header)
      expect(credentials).toMatchObject({ clientId: id })
      expect(credentials?.methodFor(undefined)).toBe('client_secret_basic')
      expect([proves(credentials, secret), proves(credentials, `${secret}x`)]).toEqual([true, false])
    }
  })

  it('reads every encoded text', () => {
    const id = fc.string({ minLength: 1, unit: 'grapheme' })
    fc.assert(
      fc.property(id, fc.string({ unit: 'grapheme' }), (clientId, secret) => {
        const credentials = readHeader(basic(clientId, secret, formEncode))
        expect([credentials?.clientId, proves(credentials, secret)]).toEqual([clientId, true])
      }),
    )
  })

  it.each(['basic', 'BASIC', 'Basic   '])(
    'reads the scheme in any case and with any spaces: %j',
    (scheme) => {
      const header = basic('a', 'b')
        .replace('Basic', scheme.trim())
        .replace(' ', scheme.replace(/^\w+/, '') || ' ')
      expect(readHeader(header)).toMatchObject({ clientId: 'a' })
    },
  )

  it('reads base64 without its padding', () => {
    expect(readHeader(basic('ab', 'c').replace(/=+$/, ''))?.clientId).toBe('ab')
  })

  it.each([
    ['no base64', 'Basic !!!!'],
    ['nothing', 'Basic '.padEnd(7)],
    ['base64url', raw('a?>:b??>').replaceAll('/', '_').replaceAll('+', '-')],
    ['text after the padding', `${raw('ab:c')}YTpi`],
    ['no colon', raw('client')],
    ['no id', raw(':secret')],
    ['nothing but a colon', raw(':')],
    ['a % that begins no code', raw('client:100%')],
    ['a code that is no UTF-8', raw('client:%ff%fe')],
    ['a half code', raw('cl%4:secret')],
  ])('refuses %s', async (_, header) => {
    expect(await refusalOf(() => readHeader(header))).toMatchObject({
      reason: 'header_malformed',
      disclosed: true,
    })
  })

  it('does not quote the credentials in a refusal', async () => {
    const refusal = await refusalOf(() => readHeader(raw('my-client:my-secret%')))
    expect(refusal.message).not.toMatch(/my-client|my-secret/)
  })

  it('takes no time over a long header', async () => {
    const texts = [':'.repeat(100_000), '%41'.repeat(50_000), `a:${'+'.repeat(100_000)}`]
    const readAll = async () => {
      for (const text of texts) await refusalOf(() => [readHeader(raw(text)), readHeader('Basic !')])
    }
    expect(await cpuSecondsOf(readAll)).toBeLessThan(2)
  })
})

describe('client_secret_post', () => {
  it('reads id and secret as the form has them, decoding nothing twice', () => {
    const credentials = read({}, { client_id: 'a%41', client_secret: 'b+%42' })
    expect(credentials).toMatchObject({ clientId: 'a%41' })
    expect(credentials?.methodFor(undefined)).toBe('client_secret_post')
    expect(proves(credentials, 'b+%42')).toBe(true)
  })

  it('refuses a secret without an id', async () => {
    const refusal = await refusalOf(() =>
      readClientCredentials(request(), parameters({ client_secret: 'b' })),
    )
    expect(refusal).toMatchObject({ reason: 'parameter_missing', disclosed: true })
  })
})

describe('readClientCredentials', () => {
  it.each([
    ['nothing', [], {}],
    ['an id alone', [], { client_id: 'a' }],
    ['a key', ['Bearer abc'], {}],
    ['a scheme alone', ['Basic'], {}],
    ['another scheme that begins alike', ['Basics YTpi'], {}],
  ])('finds no credentials in %s', (_, authorization, form) => {
    expect(readClientCredentials(request({ authorization }), parameters(form))).toBeUndefined()
  })

  it('keeps the secret from printing', () => {
    const credentials = readHeader(basic('client', 'my-secret'))
    expect(inspect(credentials, { depth: null, showHidden: true })).not.toContain('my-secret')
    expect(JSON.stringify(credentials)).toBe('{"clientId":"client"}')
  })

  it('takes a client_id parameter beside Basic credentials, if it is the same', async () => {
    expect(readHeader(basic('a', 'b'), { client_id: 'a' })).toMatchObject({ clientId: 'a' })
    const refusal = await refusalOf(() => readHeader(basic('a', 'b'), { client_id: 'c' }))
    expect(refusal).toMatchObject({ reason: 'client_mismatch', disclosed: true })
  })

  it('refuses two methods, also for the same client (RFC 6749 2.3)', async () => {
    const form = { client_id: 'a', client_secret: 'b' }
    const refusal = await refusalOf(() => readHeader(basic('a', 'b'), form))
    expect(refusal).toMatchObject({
      reason: 'client_authentication_repeated',
      code: 'invalid_request',
      disclosed: true,
    })
  })

  it.each([
    [basic('a', 'b'), basic('a', 'b')],
    [basic('a', 'b'), 'Bearer abc'],
    ['Bearer abc', 'Bearer def'],
  ])('refuses more than one Authorization header', async (...authorization) => {
    const act = () => readClientCredentials(request({ authorization }), parameters())
    expect(await refusalOf(act)).toMatchObject({ reason: 'header_repeated', disclosed: true })
  })
})
