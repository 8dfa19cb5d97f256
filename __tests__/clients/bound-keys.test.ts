import { withBindings, withoutBinding } from '../../lib/clients/bound-keys.js'
import { bindingsWith } from '../../lib/clients/rebinding.js'
import type { Binding, Client } from '../../lib/ports/client.js'
import type { Policy, Rebinding } from '../../lib/ports/policy-options.js'
import { refusalOf } from '../support/deployed.js'

const key = (bindingId: string, jkt = bindingId): Binding => ({
  bindingId,
  confirmation: { jkt },
  jwk: { kty: 'EC' },
  boundAt: 1,
  keyId: `k-${bindingId}`,
})
const certificate = (bindingId: string): Binding => ({
  bindingId,
  confirmation: { 'x5t#S256': bindingId },
  boundAt: 1,
  keyId: `k-${bindingId}`,
})
const client = (members: Partial<Client> = {}): Client => ({
  clientId: 'ci',
  revision: 1,
  authenticationMethods: ['client_secret_basic'],
  ...members,
})
const policy = (rebinding: Rebinding, maxBindings = 2) => ({ rebinding, maxBindings }) as Policy

describe('withBindings', () => {
  it('lets a client authenticate with a bound key', () => {
    expect(withBindings(client(), [key('a')])).toEqual({
      ...client(),
      bindings: [key('a')],
      boundMethods: ['private_key_jwt'],
      authenticationMethods: ['client_secret_basic', 'private_key_jwt'],
    })
    expect(withBindings(client(), [certificate('a'), key('b')]).authenticationMethods).toEqual([
      'client_secret_basic',
      'private_key_jwt',
      'self_signed_tls_client_auth',
    ])
  })

  it('takes away each method with the last binding that allowed it', () => {
    const bound = withBindings(client(), [certificate('a'), key('b'), key('c')])
    const methodsWith = (...left: Binding[]) => withBindings(bound, left).authenticationMethods
    expect(methodsWith(certificate('a'), key('c'))).toEqual(bound.authenticationMethods)
    expect(methodsWith(certificate('a'))).toEqual(['client_secret_basic', 'self_signed_tls_client_auth'])
    expect(methodsWith()).toEqual(['client_secret_basic'])
  })

  const registered = { metadata: { jwks: { keys: [{ kty: 'EC' }] } } }

  it('leaves a client the method that it has by keys of its own', () => {
    const own = client({ authenticationMethods: ['private_key_jwt'], ...registered })
    const bound = withBindings(own, [key('a')])
    expect(bound).toMatchObject({ authenticationMethods: ['private_key_jwt'], boundMethods: [] })
    expect(withBindings(bound, []).authenticationMethods).toEqual(['private_key_jwt'])
  })

  it.each([{ x5c: ['AA=='] }, { 'x5t#S256': 'x'.repeat(43) }])(
    'leaves a client the method that it has by a registered certificate: case %#',
    (named) => {
      const metadata = { jwks: { keys: [{ kty: 'EC', crv: 'P-256', ...named }] } }
      const own = client({ authenticationMethods: ['self_signed_tls_client_auth'], metadata })
      expect(withBindings(own, []).authenticationMethods).toEqual(['self_signed_tls_client_auth'])
      const bound = withBindings(own, [certificate('a')])
      expect(withBindings(bound, []).authenticationMethods).toEqual(['self_signed_tls_client_auth'])
    },
  )

  it('takes away a method for which the registered keys are of no use', () => {
    const given = client({ authenticationMethods: ['self_signed_tls_client_auth'], ...registered })
    const bound = withBindings(given, [certificate('a')])
    expect(bound.authenticationMethods).toEqual(['self_signed_tls_client_auth'])
    expect(withBindings(bound, []).authenticationMethods).toEqual([])
  })

  it('takes away what only the binding allowed, though the client has registered keys', () => {
    const bound = withBindings(client(registered), [key('a')])
    expect(bound.authenticationMethods).toContain('private_key_jwt')
    expect(withBindings(bound, []).authenticationMethods).toEqual(['client_secret_basic'])
  })

  it('takes away the method of a client that was written down with its bindings', () => {
    const written = client({ authenticationMethods: ['private_key_jwt'], bindings: [key('a')] })
    expect(withBindings(written, []).authenticationMethods).toEqual([])
  })

  it('leaves tls_client_auth, which no binding gives, as it is', () => {
    const named = client({ authenticationMethods: ['tls_client_auth'] })
    expect(withBindings(withBindings(named, [certificate('a')]), []).authenticationMethods).toEqual([
      'tls_client_auth',
    ])
  })

  it('changes nothing of the client it is given', () => {
    const before = Object.freeze(client({ bindings: Object.freeze([key('a')]) as Binding[] }))
    expect(withBindings(before, [])).not.toBe(before)
    expect(before.bindings).toHaveLength(1)
  })
})

describe('bindingsWith', () => {
  it.each<Rebinding>(['refuse', 'replace', 'add'])('takes the first key whatever policy says: %s', (how) => {
    expect(bindingsWith(key('a'), undefined, policy(how, 1))).toEqual([key('a')])
    expect(bindingsWith(key('a'), { bindings: [] }, policy(how, 1))).toEqual([key('a')])
  })

  it('replaces all that was there, the same key included', () => {
    expect(bindingsWith(key('c'), { bindings: [key('a'), certificate('b')] }, policy('replace'))).toEqual([
      key('c'),
    ])
    expect(bindingsWith(key('b', 'a'), { bindings: [key('a')] }, policy('replace'))).toEqual([key('b', 'a')])
  })

  it('adds up to as many as policy says', () => {
    expect(bindingsWith(certificate('b'), { bindings: [key('a')] }, policy('add'))).toEqual([
      key('a'),
      certificate('b'),
    ])
    expect(bindingsWith(key('c'), { bindings: [key('a'), key('b')] }, policy('add', 3))).toHaveLength(3)
  })

  it.each<[string, Rebinding, readonly Binding[], RegExp]>([
    ['a second key', 'refuse', [key('a')], /already has a bound key/],
    [
      'one more than policy says',
      'add',
      [key('a'), key('b')],
      /already has 2 bound keys, and the policy allows 2/,
    ],
    ['one more where there are too many', 'add', [key('a'), key('b'), key('d')], /has 3 .* allows 2/],
    ['the same key again', 'add', [key('b', 'c')], /already bound to the client/],
    ['the same key again, which it tells', 'refuse', [key('b', 'c')], /^This key is already bound/],
  ])('refuses %s: %s', async (_, how, kept, message) => {
    const refused = await refusalOf(() => bindingsWith(key('c'), { bindings: kept }, policy(how)))
    expect(refused).toMatchObject({ reason: 'binding_exists', code: 'invalid_request', disclosed: true })
    expect(refused.message).toMatch(message)
  })

  it('knows a certificate again, and takes none for a key of the same thumbprint', async () => {
    const refused = await refusalOf(() =>
      bindingsWith(
        { ...certificate('c'), bindingId: 'x', keyId: 'k-x' },
        { bindings: [certificate('c')] },
        policy('add'),
      ),
    )
    expect(refused.reason).toBe('binding_exists')
    expect(
      bindingsWith(certificate('c'), { bindings: [{ ...key('c'), keyId: 'k-x' }] }, policy('add')),
    ).toHaveLength(2)
  })
})

describe('withoutBinding', () => {
  it('answers the client without it', () => {
    const bound = withBindings(client(), [key('a'), key('b')])
    expect(withoutBinding(bound, 'a')).toMatchObject({ bindings: [key('b')] })
  })

  it('answers nothing where there is nothing to take away', () => {
    expect(withoutBinding(undefined, 'a')).toBeUndefined()
    expect(withoutBinding(client(), 'a')).toBeUndefined()
    expect(withoutBinding(withBindings(client(), [key('a')]), 'b')).toBeUndefined()
  })
})
