import { confirmUse } from '../../lib/clients/authentication/confirm-use.js'
import { withoutOverdue, withUseConfirmed } from '../../lib/clients/confirmation.js'
import { bindingsWith } from '../../lib/clients/rebinding.js'
import { findClient } from '../../lib/clients/registry.js'
import type { Binding, Client } from '../../lib/ports/client.js'
import type { Policy, Rebinding } from '../../lib/ports/policy-options.js'
import { deployed, refusalOf, START } from '../support/deployed.js'

const binding = (bindingId: string, members: Partial<Binding> = {}): Binding => ({
  bindingId,
  confirmation: { jkt: bindingId.padEnd(43, 'x') },
  jwk: { kty: 'EC' },
  boundAt: 1,
  keyId: `k-${bindingId}`,
  askedBy: 'fleet',
  ...members,
})
const client = (bindings: readonly Binding[], members: Partial<Client> = {}): Client => ({
  clientId: 'lamp',
  revision: 1,
  authenticationMethods: ['private_key_jwt'],
  boundMethods: ['private_key_jwt'],
  bindings,
  ...members,
})
const registeredBy = { clientId: 'fleet', keyId: 'k-a' }
const policy = (rebinding: Rebinding, confirmWithinSeconds?: number) =>
  ({ rebinding, maxBindings: 16, confirmWithinSeconds }) as Policy

describe('withoutOverdue', () => {
  it.each<[string, Client]>([
    ['without deadlines', client([binding('a')])],
    ['before its deadlines', client([binding('a', { confirmBy: 101 })], { registeredBy })],
    ['that was undone', { ...client([]), authenticationMethods: [], undoneAt: 1 }],
    [
      'that is being deleted',
      client([], { deletedAt: 1, registration: { issuedAt: 1, scopes: [], tokens: [], confirmBy: 100 } }),
    ],
  ])('leaves a client %s alone', (_, given) => {
    expect(withoutOverdue(given, 100)).toBeUndefined()
  })

  it('leaves an empty record of a client that its overdue binding has made', () => {
    const made = client([binding('a', { confirmBy: 100 })], { registeredBy, policy: { scopes: [] } })
    expect(withoutOverdue(made, 100)).toEqual({ clientId: 'lamp', authenticationMethods: [], undoneAt: 100 })
  })

  it('removes only the overdue binding of a client with another one', () => {
    const both = client([binding('b'), binding('a', { confirmBy: 100 })], { registeredBy })
    const left = { registeredBy: { clientId: 'fleet', keyId: 'k-b' }, bindings: [binding('b')] }
    expect(withoutOverdue(both, 100)).toEqual({ ...both, ...left })
  })

  it('leaves an empty record after the last of several bindings that nobody has used', () => {
    const both = client([binding('a', { confirmBy: 100 }), binding('b', { confirmBy: 101 })], {
      registeredBy,
    })
    const left = { revision: 2, ...withoutOverdue(both, 100) } as Client
    expect(left.bindings).toEqual([binding('b', { confirmBy: 101 })])
    expect(withoutOverdue(left, 101)).toMatchObject({ undoneAt: 101 })
  })

  it('keeps a client that existed before its overdue binding', () => {
    const own = client([binding('a', { confirmBy: 100 })], {
      secretHash: 'x',
      authenticationMethods: ['client_secret_basic', 'private_key_jwt'],
    })
    expect(withoutOverdue(own, 100)).toMatchObject({
      bindings: [],
      authenticationMethods: ['client_secret_basic'],
    })
  })
})

describe('withUseConfirmed', () => {
  it('ends the bindings before one that replaces them, and keeps those after it', () => {
    const used = binding('b', { confirmBy: 100, replaces: true })
    const before = client([binding('a'), used, binding('c')])
    expect(withUseConfirmed(before, 'b').bindings).toEqual([binding('b'), binding('c')])
  })

  it('changes nothing by the use of another binding, or of a secret', () => {
    const before = client([binding('a'), binding('b', { confirmBy: 100 })])
    for (const used of ['a', undefined]) expect(withUseConfirmed(before, used)).toBe(before)
  })
})

describe('a new binding with a deadline', () => {
  it.each<[string, readonly Binding[], readonly Binding[]]>([
    ['is alone', [], [binding('n', { confirmBy: 61 })]],
    ['replaces one that waits too', [binding('a', { confirmBy: 9 })], [binding('n', { confirmBy: 61 })]],
    [
      'waits beside a confirmed one',
      [binding('a')],
      [binding('a'), binding('n', { confirmBy: 61, replaces: true })],
    ],
    [
      'is confirmed if its key is',
      [binding('a', { confirmation: binding('n').confirmation })],
      [binding('n')],
    ],
  ])('%s', (_, present, expected) => {
    expect(bindingsWith(binding('n'), { bindings: present }, policy('replace', 60))).toEqual(expected)
  })

  it('is refused beside the most confirmed ones that a client can have', async () => {
    const present = Array.from({ length: 16 }, (_, i) => binding(`b${i}`))
    const refusal = await refusalOf(() =>
      bindingsWith(binding('n'), { bindings: present }, policy('replace', 60)),
    )
    expect(refusal).toMatchObject({ reason: 'binding_exists' })
    expect(bindingsWith(binding('n'), { bindings: present }, policy('replace'))).toEqual([binding('n')])
  })

  it.each([
    ['a policy with a later deadline', 60],
    ['a policy without deadlines', undefined],
  ])('ends with a registration that waits for its first use: %s', (_, seconds) => {
    const registration = { issuedAt: 1, scopes: [], tokens: [], confirmBy: 31 }
    const added = bindingsWith(binding('n'), { registration }, policy('refuse', seconds))
    expect(added).toEqual([binding('n', { confirmBy: 31 })])
    const confirmed = { registration: { issuedAt: 1, scopes: [], tokens: [] } }
    expect(bindingsWith(binding('n'), confirmed, policy('refuse'))).toEqual([binding('n')])
  })

  it('has its deadline with every other policy too', () => {
    expect(bindingsWith(binding('n'), { bindings: [binding('a')] }, policy('add', 60))).toEqual([
      binding('a'),
      binding('n', { confirmBy: 61 }),
    ])
  })
})

describe('a process that only looks clients up', () => {
  // A certificate needs no valid public key.
  const { jwk: _, ...certificate } = binding('a', { confirmation: { 'x5t#S256': 'x'.repeat(43) } })
  const methods = ['self_signed_tls_client_auth'] as const
  const stored = (confirmBy: number) =>
    client([{ ...certificate, confirmBy }], {
      registeredBy,
      authenticationMethods: methods,
      boundMethods: methods,
    })
  const looking = (confirmBy: number) => deployed({ clients: () => stored(confirmBy) })
  const source = { address: undefined }

  it('refuses the first use of a binding, because it cannot save it', async () => {
    const given = stored(START + 1)
    const use = { client: given, bindingId: 'a', source }
    const refusal = await refusalOf(() => confirmUse(looking(START + 1).deployment, use))
    expect(refusal).toMatchObject({
      reason: 'server_fault',
      message: expect.stringMatching(/lookup function/),
    })
  })

  it('does not see a binding after its deadline', async () => {
    const { deployment, events } = looking(START)
    expect(await findClient(deployment, 'lamp')).toBeUndefined()
    expect(events).toEqual([])
  })
})
