import crypto, { createPublicKey } from 'node:crypto'
import fc from 'fast-check'
import type { Parameters, PresentedRequest } from '../../../lib/base/request.js'
import { authenticateClient } from '../../../lib/clients/authentication/authenticate.js'
import { thumbprint } from '../../../lib/jose/jwk.js'
import type { ClientOptions } from '../../../lib/options/client.js'
import type { IdentifierOwner } from '../../../lib/ports/store.js'
import {
  ASSERTION_TYPE,
  type AssertionParts,
  CLIENT_ALGORITHMS,
  type ClientKey,
  clientKey,
  signAssertion,
} from '../../support/client-assertion.js'
import {
  deployed,
  ISSUER,
  parameters,
  reasonOf,
  refusalOf,
  request,
  SECRET,
  START,
} from '../../support/deployed.js'

const KEYS = Object.fromEntries(CLIENT_ALGORITHMS.map((alg) => [alg, clientKey(alg)])) as Record<
  string,
  ClientKey
>
const EC = KEYS.ES256 as ClientKey
const RSA = KEYS.RS256 as ClientKey
const STRANGER = clientKey('ES256')
const ID = 'signer'

function authenticator(client: Partial<ClientOptions> = {}) {
  const signer = {
    clientId: ID,
    jwks: { keys: CLIENT_ALGORITHMS.map((alg) => KEYS[alg]?.jwk ?? {}) },
    ...client,
  }
  const plain = { clientId: 'plain', clientSecret: SECRET }
  const given = deployed({ clients: [signer, plain], policy: { scopes: ['read'] } })
  const authenticate = (presented: PresentedRequest, form: Parameters) =>
    authenticateClient(given.deployment, presented, form)
  const send = (assertion: string, form: Record<string, string> = {}) =>
    authenticate(
      request(),
      parameters({ client_assertion: assertion, client_assertion_type: ASSERTION_TYPE, ...form }),
    )
  const sign = (parts: AssertionParts = {}, key = EC, clientId = ID) =>
    signAssertion(key, { clientId, audience: ISSUER, now: given.clock.seconds }, parts)
  return { ...given, send, sign, authenticate }
}

describe('private_key_jwt', () => {
  it.each(CLIENT_ALGORITHMS)('lets a client in that signs with %s', async (alg) => {
    const { send, sign } = authenticator()
    expect(await send(sign({}, KEYS[alg]))).toMatchObject({ clientId: ID, method: 'private_key_jwt' })
  })

  it.each([
    ['no typ', { header: { typ: undefined } }],
    ['typ JWT', { header: { typ: 'JWT' } }],
    ['the typ made for it', { header: { typ: 'client-authentication+jwt' } }],
    ['an aud of one entry', { claims: { aud: [ISSUER] } }],
    ['no iat', { claims: { iat: undefined } }],
    ['a kid nobody knows, which is a hint only', { header: { kid: 'unknown' } }],
    ['more claims than we know', { claims: { nbf: START, more: { than: ['we', 'know'] } } }],
    ['the longest life there is', { claims: { exp: START + 600 } }],
    ['a fractional exp', { claims: { exp: START + 30.5 } }],
    ['an exp within the tolerance', { claims: { exp: START - 4 } }],
  ])('takes %s', async (_, parts) => {
    const { send, sign } = authenticator()
    expect(await send(sign(parts))).toMatchObject({ clientId: ID })
  })

  it('takes a client_id beside it only if it is the same', async () => {
    const { send, sign } = authenticator()
    expect(await send(sign(), { client_id: ID })).toMatchObject({ clientId: ID })
    expect(await reasonOf(() => send(sign(), { client_id: 'plain' }))).toBe('client_mismatch')
  })

  it('uses the key of the kid where there are several, and no other of that name', async () => {
    const other = clientKey('ES256')
    const keys = [
      { ...EC.jwk, kid: 'first' },
      { ...other.jwk, kid: 'second' },
    ]
    const { send, sign } = authenticator({ jwks: { keys } })
    expect(await send(sign({ header: { kid: 'second' } }, other))).toMatchObject({ clientId: ID })
    expect(await send(sign({}, other))).toMatchObject({ clientId: ID })
    expect(await reasonOf(() => send(sign({ header: { kid: 'first' } }, other)))).toBe(
      'client_assertion_signature_wrong',
    )
  })

  it.each([{ use: 'enc' }, { alg: 'ES384' }, { key_ops: ['encrypt'] }])(
    'uses no key that says it is for something else: %j',
    async (label) => {
      const { send, sign } = authenticator({ jwks: { keys: [{ ...EC.jwk, ...label }, RSA.jwk] } })
      expect(await reasonOf(() => send(sign()))).toBe('client_assertion_signature_wrong')
    },
  )

  it('lets in a client by a key that was bound to it', async () => {
    const jkt = thumbprint(createPublicKey(EC.privateKey))
    const binding = { bindingId: 'b', confirmation: { jkt }, jwk: EC.jwk, boundAt: START, keyId: 'k' }
    const { send, sign } = authenticator({ jwks: undefined, bindings: [binding] } as object)
    expect(await send(sign())).toMatchObject({ clientId: ID })
    expect(await reasonOf(() => send(sign({}, RSA)))).toBe('client_assertion_signature_wrong')
  })

  describe('refuses as malformed', () => {
    it.each([
      ['no JWT', 'abc'],
      ['nothing between the dots', '..'],
      ['another typ', { header: { typ: 'dpop+jwt' } }],
      ['the typ of a key', { header: { typ: 'provisioning-key+jwt' } }],
      ['a typ that is no string', { header: { typ: 1 } }],
      ['alg none', { header: { alg: 'none' } }],
      ['a symmetric alg', { header: { alg: 'HS256' } }],
      ['no alg', { header: { alg: undefined } }],
      ['a crit header', { header: { crit: ['exp'] } }],
      ['no sub', { claims: { sub: undefined } }],
      ['an empty sub', { claims: { sub: '' } }],
      ['a sub that is no string', { claims: { sub: [ID] } }],
    ])('%s', async (_, parts: string | AssertionParts) => {
      const { send, sign } = authenticator()
      const assertion = typeof parts === 'string' ? parts : sign(parts)
      expect(await refusalOf(() => send(assertion))).toMatchObject({
        reason: 'client_assertion_malformed',
        code: 'invalid_client',
        disclosed: true,
      })
    })
  })

  it.each([
    ['another issuer', { iss: 'plain' }],
    ['no iss', { iss: undefined }],
    ['no aud', { aud: undefined }],
    ['the token endpoint as aud', { aud: `${ISSUER}/oauth/token` }],
    ['the issuer among others', { aud: [ISSUER, 'https://other.example.com'] }],
    ['the issuer twice', { aud: [ISSUER, ISSUER] }],
    ['the issuer with a slash', { aud: `${ISSUER}/` }],
    ['an aud in a list in a list', { aud: [[ISSUER]] }],
    ['no jti', { jti: undefined }],
    ['an empty jti', { jti: '' }],
    ['a jti that is no string', { jti: 7 }],
    ['a jti that is too long', { jti: 'x'.repeat(257) }],
  ])('refuses %s', async (_, claims) => {
    const { send, sign } = authenticator()
    expect(await refusalOf(() => send(sign({ claims })))).toMatchObject({
      reason: 'client_assertion_claims_wrong',
      code: 'invalid_client',
      disclosed: false,
    })
  })

  it.each([
    ['no exp', { exp: undefined }],
    ['an exp that is no number', { exp: String(START + 60) }],
    ['an exp at the end of the tolerance', { exp: START - 5 }],
    ['an iat in the future', { iat: START + 6 }],
    ['an iat that is no number', { iat: 'now' }],
    ['an nbf in the future', { nbf: START + 6 }],
    ['an nbf of null', { nbf: null }],
  ])('refuses %s', async (_, claims) => {
    const { send, sign } = authenticator()
    expect(await reasonOf(() => send(sign({ claims })))).toBe('client_assertion_expired')
  })

  it('refuses an exp too far in the future for a reason of its own', async () => {
    const { send, sign } = authenticator()
    expect(await refusalOf(() => send(sign({ claims: { exp: START + 606 } })))).toMatchObject({
      reason: 'client_assertion_lifetime_excessive',
      code: 'invalid_client',
      disclosed: false,
    })
    expect(await reasonOf(() => send(sign({ claims: { exp: START + 605 } })))).toBeUndefined()
  })

  it.each([
    [
      'the signature of a stranger',
      () => signAssertion(STRANGER, { clientId: ID, audience: ISSUER, now: START }),
    ],
    [
      'an alg that is not of its key',
      () => signAssertion({ ...EC, alg: 'ES384' }, { clientId: ID, audience: ISSUER, now: START }),
    ],
    [
      'claims changed after signing',
      () => tampered(signAssertion(EC, { clientId: ID, audience: ISSUER, now: START })),
    ],
    [
      'a jwk of its own in the header',
      () =>
        signAssertion(
          STRANGER,
          { clientId: ID, audience: ISSUER, now: START },
          { header: { jwk: STRANGER.jwk } },
        ),
    ],
  ])('refuses %s', async (_, make) => {
    const { send } = authenticator()
    expect(await refusalOf(() => send(make()))).toMatchObject({
      reason: 'client_assertion_signature_wrong',
      disclosed: false,
    })
  })

  it('refuses one that is by another client', async () => {
    const { send, sign } = authenticator()
    expect(await reasonOf(() => send(sign({}, EC, 'plain')))).toBe('client_assertion_signature_wrong')
    expect(await reasonOf(() => send(sign({}, EC, 'nobody')))).toBe('client_unknown')
  })

  it('does the same work for a client that a lookup function finds and one that does not exist', async () => {
    const jwks = { keys: Array.from({ length: 8 }, () => clientKey('ES256').jwk) }
    const clients = (clientId: string) => (clientId === ID ? { clientId, jwks } : undefined)
    const { deployment } = deployed({ clients, policy: { scopes: ['read'] } })
    const works: unknown[] = []
    // The first assertion also makes the decoy, whoever it names.
    for (const clientId of ['first', ID, 'nobody']) {
      const assertion = signAssertion(STRANGER, { clientId, audience: ISSUER, now: START })
      const form = { client_assertion: assertion, client_assertion_type: ASSERTION_TYPE }
      const spies = (['createPublicKey', 'verify', 'createHash'] as const).map((name) =>
        jest.spyOn(crypto, name),
      )
      await reasonOf(() => authenticateClient(deployment, request(), parameters(form)))
      works.push(spies.map((spy) => spy.mock.calls.length))
      for (const spy of spies) spy.mockRestore()
    }
    expect(works.slice(1)).toEqual([
      [2, 2, 2],
      [2, 2, 2],
    ])
  })

  it('refuses a client that may not authenticate in this way', async () => {
    const { send, sign } = authenticator({
      clientSecret: SECRET,
      authenticationMethods: ['client_secret_basic'],
    })
    expect(await reasonOf(() => send(sign()))).toBe('client_method_refused')
  })

  it('lets one of any number of concurrent requests with one assertion in', async () => {
    const { send, sign } = authenticator()
    const assertion = sign()
    const reasons = await Promise.all(Array.from({ length: 50 }, () => reasonOf(() => send(assertion))))
    expect(reasons.filter((reason) => reason === undefined)).toHaveLength(1)
    expect(new Set(reasons)).toEqual(new Set([undefined, 'client_assertion_replayed']))
  })

  it('refuses an assertion again for as long as it would hold', async () => {
    const { send, sign, clock } = authenticator()
    const assertion = sign({ claims: { exp: START + 30 } })
    await send(assertion)
    clock.seconds = START + 34
    expect(await reasonOf(() => send(assertion))).toBe('client_assertion_replayed')
    clock.seconds = START + 35
    expect(await reasonOf(() => send(assertion))).toBe('client_assertion_expired')
  })

  it('remembers the jti of each client for itself', async () => {
    const { send, sign } = authenticator()
    const jti = 'the-same'
    await send(sign({ claims: { jti } }))
    expect(await reasonOf(() => send(sign({ claims: { jti } })))).toBe('client_assertion_replayed')
  })

  it('does not remember a refused assertion', async () => {
    const { send, sign, deployment } = authenticator()
    const told: string[] = []
    const { useOnce } = deployment.store
    const store = {
      ...deployment.store,
      useOnce: (id: string, until: number, owner?: IdentifierOwner) => {
        told.push(id)
        return useOnce(id, until, owner)
      },
    }
    const authenticate = (client_assertion: string) => {
      const form = parameters({ client_assertion, client_assertion_type: ASSERTION_TYPE })
      return authenticateClient({ ...deployment, store }, request(), form)
    }
    for (const bad of [
      sign({}, STRANGER),
      sign({ claims: { aud: 'x' } }),
      sign({ claims: { exp: 0 } }),
      sign({}, EC, 'nobody'),
    ])
      await refusalOf(() => authenticate(bad))
    expect(told).toEqual([])
    const jti = 'a-jti-that-would-tell'
    await authenticate(sign({ claims: { jti } }))
    expect(told).toEqual([expect.stringMatching(/^[\w-]{43}$/)])
    await expect(send(sign({ claims: { jti } }))).rejects.toMatchObject({
      reason: 'client_assertion_replayed',
    })
  })

  it.each([
    [{ client_assertion: 'a.b.c' }, 'parameter_malformed'],
    [{ client_assertion: 'a.b.c', client_assertion_type: 'urn:x' }, 'parameter_malformed'],
    [{ client_assertion_type: ASSERTION_TYPE }, 'parameter_missing'],
  ])('refuses the parameters %j', async (form, reason) => {
    const { authenticate } = authenticator()
    expect(
      await reasonOf(() => authenticate(request(), parameters(form as unknown as Record<string, string>))),
    ).toBe(reason)
  })

  it('refuses an assertion beside a secret (RFC 6749 2.3)', async () => {
    const { send, sign } = authenticator()
    const form = { client_id: ID, client_secret: SECRET }
    expect(await reasonOf(() => send(sign(), form))).toBe('client_authentication_repeated')
  })

  it('never throws anything but a refusal, whatever a stranger signs', async () => {
    const { send, sign } = authenticator()
    const anything = fc.dictionary(
      fc.constantFrom('iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'x'),
      fc.jsonValue(),
    )
    await fc.assert(
      fc.asyncProperty(anything, anything, async (header, claims) => {
        expect(
          await reasonOf(() => send(sign({ header: { ...header, alg: 'ES256' }, claims }, STRANGER))),
        ).toMatch(/^client_/)
      }),
      { numRuns: 200 },
    )
  })
})

function tampered(assertion: string): string {
  const [header, payload = '', signature] = assertion.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const changed = Buffer.from(JSON.stringify({ ...claims, exp: claims.exp + 1 })).toString('base64url')
  return [header, changed, signature].join('.')
}
