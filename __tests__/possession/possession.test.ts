import type { SenderConstraint } from '../../lib/ports/policy-options.js'
import {
  confirm,
  constrain,
  type Possession,
  type PresentedCredential,
  tokenType,
} from '../../lib/possession/possession.js'
import { reasonOf, refusalOf } from '../support/deployed.js'

const proof = { thumbprint: 'a-key' } as Possession['proof']
const otherProof = { thumbprint: 'another-key' } as Possession['proof']

type Held = Partial<Possession>

const NOTHING: Held = {}
const PROOF: Held = { proof }
const CERTIFICATE: Held = { certificate: 'a-certificate' }
const BOTH: Held = { ...PROOF, ...CERTIFICATE }

function presented(scheme: PresentedCredential['scheme'], held: Held) {
  return { proof: undefined, certificate: undefined, ...held, scheme }
}

function reasonFor(cnf: unknown, scheme: PresentedCredential['scheme'], held: Held) {
  return reasonOf(() => confirm(cnf, presented(scheme, held), {}))
}

const unproven = 'possession_unproven'

describe('confirm', () => {
  const JKT = { jkt: 'a-key' }
  const X5T = { 'x5t#S256': 'a-certificate' }

  it.each<[string, unknown, PresentedCredential['scheme'], Held, string | undefined]>([
    ['a key that is not bound', undefined, 'Bearer', NOTHING, undefined],
    ['a key that is not bound', undefined, 'Bearer', BOTH, undefined],
    ['a key that is not bound', undefined, 'body', PROOF, undefined],
    ['a key that is not bound', undefined, 'DPoP', PROOF, 'key_unbound'],
    ['a key that is not bound', undefined, 'DPoP', NOTHING, 'key_unbound'],

    ['a key bound to a proof key', JKT, 'DPoP', PROOF, undefined],
    ['a key bound to a proof key', JKT, 'body', PROOF, undefined],
    ['a key bound to a proof key', JKT, 'DPoP', NOTHING, unproven],
    ['a key bound to a proof key', JKT, 'body', NOTHING, unproven],
    ['a key bound to a proof key', JKT, 'DPoP', { proof: otherProof }, unproven],
    ['a key bound to a proof key', JKT, 'body', { proof: otherProof }, unproven],
    ['a key bound to a proof key', JKT, 'DPoP', CERTIFICATE, unproven],
    ['a key bound to a proof key', JKT, 'Bearer', PROOF, unproven],
    ['a key bound to a proof key', JKT, 'Bearer', NOTHING, unproven],

    ['a key bound to a certificate', X5T, 'Bearer', CERTIFICATE, undefined],
    ['a key bound to a certificate', X5T, 'Bearer', BOTH, undefined],
    ['a key bound to a certificate', X5T, 'body', CERTIFICATE, undefined],
    ['a key bound to a certificate', X5T, 'Bearer', NOTHING, unproven],
    ['a key bound to a certificate', X5T, 'Bearer', PROOF, unproven],
    ['a key bound to a certificate', X5T, 'Bearer', { certificate: 'another' }, unproven],
    ['a key bound to a certificate', X5T, 'Bearer', { certificate: '' }, unproven],
    ['a key bound to a certificate', X5T, 'DPoP', BOTH, 'key_unbound'],

    ['a key bound to both', { ...JKT, ...X5T }, 'DPoP', BOTH, undefined],
    ['a key bound to both', { ...JKT, ...X5T }, 'body', BOTH, undefined],
    ['a key bound to both', { ...JKT, ...X5T }, 'DPoP', PROOF, unproven],
    ['a key bound to both', { ...JKT, ...X5T }, 'DPoP', CERTIFICATE, unproven],
    ['a key bound to both', { ...JKT, ...X5T }, 'Bearer', BOTH, unproven],
    ['a key bound to both', { ...JKT, ...X5T }, 'DPoP', { ...BOTH, proof: otherProof }, unproven],
    ['a key bound to both', { ...JKT, ...X5T }, 'DPoP', { ...BOTH, certificate: 'another' }, unproven],
  ])('decides about the credentials of %s: case %#', async (_, cnf, scheme, held, reason) => {
    expect(await reasonFor(cnf, scheme, held)).toBe(reason)
  })

  const NOT_UNDERSTOOD: unknown[] = [
    null,
    {},
    [],
    [{ jkt: 'a-key' }],
    'a-key',
    '',
    0,
    true,
    { jkt: '' },
    { jkt: null },
    { jkt: ['a-key'] },
    { jkt: { toString: 'a-key' } },
    { 'x5t#S256': '' },
    { 'x5t#S256': 7 },
    { jwk: { kty: 'EC' } },
    { kid: 'a-key' },
    { jku: 'https://evil.example' },
    { jkt: 'a-key', kid: 'b' },
    { jkt: 'a-key', 'x5t#S256': null },
    { jkt: 'a-key', 'X5T#S256': 'a-certificate' },
    { JKT: 'a-key' },
    JSON.parse('{"__proto__":{"jkt":"a-key"}}'),
    Object.create({ jkt: 'a-key' }),
  ]
  it.each(NOT_UNDERSTOOD)(
    'refuses the cnf %j, which it does not understand, however it is presented',
    async (cnf) => {
      for (const scheme of ['Bearer', 'DPoP', 'body'] as const) {
        for (const held of [NOTHING, PROOF, CERTIFICATE, BOTH])
          expect(await reasonFor(cnf, scheme, held)).toBe(unproven)
      }
    },
  )

  it('names the key in its refusal, and tells strangers nothing', async () => {
    const facts = { clientId: 'client', jti: 'jti' }
    for (const [cnf, scheme] of [
      [{ jkt: 'a-key' }, 'Bearer'],
      [undefined, 'DPoP'],
    ] as const) {
      const refusal = await refusalOf(() => confirm(cnf, presented(scheme, NOTHING), facts))
      expect(refusal).toMatchObject({ facts, disclosed: false, code: 'invalid_token' })
      expect(refusal.message).not.toMatch(/a-key/)
    }
  })
})

describe('constrain', () => {
  const JKT = { jkt: 'a-key' }
  const X5T = { 'x5t#S256': 'a-certificate' }

  it.each<[SenderConstraint, Held, boolean, object | undefined]>([
    ['none', NOTHING, false, undefined],
    ['none', PROOF, false, JKT],
    ['none', CERTIFICATE, false, undefined],
    ['none', CERTIFICATE, true, X5T],
    ['none', BOTH, false, JKT],
    ['none', BOTH, true, { ...JKT, ...X5T }],
    ['none', NOTHING, true, undefined],
    ['dpop', PROOF, false, JKT],
    ['dpop', BOTH, false, JKT],
    ['dpop', BOTH, true, { ...JKT, ...X5T }],
    ['mtls', CERTIFICATE, false, X5T],
    ['mtls', BOTH, false, { ...JKT, ...X5T }],
  ])(
    'where policy wants %s, of %j, authenticated by certificate: %s, makes %j',
    (senderConstraint, held, used, cnf) => {
      expect(
        constrain({ senderConstraint }, { proof: undefined, certificate: undefined, ...held }, used),
      ).toEqual(cnf)
    },
  )

  it.each<[SenderConstraint, Held, string]>([
    ['dpop', NOTHING, 'dpop_missing'],
    ['dpop', CERTIFICATE, 'dpop_missing'],
    ['mtls', NOTHING, 'certificate_missing'],
    ['mtls', PROOF, 'certificate_missing'],
  ])('where policy wants %s, refuses %j: %s', async (senderConstraint, held, reason) => {
    const act = () =>
      constrain({ senderConstraint }, { proof: undefined, certificate: undefined, ...held }, true)
    expect(await refusalOf(act)).toMatchObject({ reason, disclosed: true })
  })
})

describe('tokenType', () => {
  it.each([
    [undefined, 'Bearer'],
    [{ jkt: 'a' }, 'DPoP'],
    [{ 'x5t#S256': 'a' }, 'Bearer'],
    [{ jkt: 'a', 'x5t#S256': 'a' }, 'DPoP'],
  ])('of %j is %s', (confirmation, type) => {
    expect(tokenType(confirmation)).toBe(type)
  })
})
