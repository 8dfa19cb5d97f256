import type { PresentedRequest } from '../../lib/base/request.js'
import { type AccessTokenTerms, mintAccessToken } from '../../lib/tokens/access-token.js'
import { verifyAccessToken } from '../../lib/tokens/access-verification.js'
import type { Expectation } from '../../lib/tokens/presentation.js'
import {
  AUDIENCE,
  deployed,
  ISSUER,
  issueKey,
  OTHER_AUDIENCE,
  reasonOf,
  refusalOf,
  request,
  reserveKey,
  START,
  TARGET,
} from '../support/deployed.js'

const EXPECTED: Expectation = { audiences: [AUDIENCE], scope: [], target: TARGET }
const THUMBPRINT = 'C'.repeat(43)
const CERTIFICATE = { der: new Uint8Array(), thumbprint: THUMBPRINT, trusted: true }

async function withToken(terms: Partial<AccessTokenTerms> = {}) {
  const given = deployed()
  const { deployment } = given
  const issued = await issueKey(given, { requested_subject: 'device:7' })
  const claim = await reserveKey(given, issued.verified, 'token')
  await claim.settle({ retainUntil: START + 1000 })
  const all = { audience: AUDIENCE, scope: ['devices:read'], lifetimeSeconds: 600, confirmation: undefined }
  const { token, claims } = mintAccessToken(deployment, issued.verified, { ...all, ...terms })
  const asked: string[] = []
  const store = {
    ...deployment.store,
    find: (ref: Parameters<typeof deployment.store.find>[0]) => {
      asked.push(ref.jti)
      return deployment.store.find(ref)
    },
  }
  const accept = (
    expected: Partial<Expectation> = {},
    presented: Partial<PresentedRequest> = {},
    scheme: 'Bearer' | 'DPoP' = 'Bearer',
  ) =>
    verifyAccessToken(
      { ...deployment, store },
      {
        credential: { token, scheme },
        presented: request(presented),
        expected: { ...EXPECTED, ...expected },
      },
    )
  const verify = async (...asVerified: Parameters<typeof accept>) => (await accept(...asVerified)).token
  return { ...given, ...issued, token, claims, asked, accept, verify }
}

describe('verifyAccessToken', () => {
  it('answers who a token is for, frozen, and asks the store once', async () => {
    const { verify, claims, record, asked } = await withToken()
    const token = await verify({ scope: ['devices:read'] })
    expect(token).toEqual({
      jti: claims.jti,
      clientId: 'device:7',
      subject: 'device:7',
      scope: ['devices:read'],
      audience: AUDIENCE,
      issuer: ISSUER,
      issuedAt: START,
      expiresAt: START + 600,
      environment: undefined,
      confirmation: undefined,
      keyId: record.jti,
      keyClientId: 'ci-runner',
    })
    expect([Object.isFrozen(token), Object.isFrozen(token.scope)]).toEqual([true, true])
    expect(asked).toEqual([record.jti])
  })

  it('names the token and its family in every refusal of a genuine one', async () => {
    const { verify, claims, record, clock, deployment } = await withToken()
    const facts = { clientId: 'ci-runner', jti: record.jti, tokenId: claims.jti }
    const refusals = [
      await refusalOf(() => verify({ audiences: [OTHER_AUDIENCE] })),
      await refusalOf(() => verify({}, {}, 'DPoP')),
      await refusalOf(() => verify({ scope: ['admin'] })),
    ]
    await deployment.store.revokeFamily(record)
    refusals.push(await refusalOf(verify))
    clock.seconds += 605
    refusals.push(await refusalOf(verify))
    expect(refusals).toMatchObject([
      { reason: 'audience_wrong', facts, disclosed: false },
      { reason: 'key_unbound', facts, disclosed: false },
      { reason: 'scope_insufficient', facts: { ...facts, requiredScope: 'admin' }, disclosed: false },
      { reason: 'token_revoked', facts, disclosed: false },
      { reason: 'key_expired', facts, disclosed: false },
    ])
  })

  it('does not ask the store about a token that is refused for its claims or its holder', async () => {
    const bound = await withToken({ confirmation: { 'x5t#S256': THUMBPRINT } })
    expect(await reasonOf(() => bound.verify({ audiences: [OTHER_AUDIENCE] }))).toBe('audience_wrong')
    expect(await reasonOf(() => bound.verify())).toBe('possession_unproven')
    expect(bound.asked).toEqual([])
  })

  it('wants the certificate that a token is bound to (RFC 8705 3)', async () => {
    const confirmation = { 'x5t#S256': THUMBPRINT }
    const { verify } = await withToken({ confirmation })
    expect(await verify({}, { certificate: CERTIFICATE })).toMatchObject({ confirmation })
    const other = { ...CERTIFICATE, thumbprint: 'D'.repeat(43) }
    for (const presented of [{}, { certificate: other }]) {
      expect(await reasonOf(() => verify({}, presented))).toBe('possession_unproven')
    }
  })

  it('tells the holder of the certificate precisely, and nobody else', async () => {
    const { verify, deployment, record } = await withToken({ confirmation: { 'x5t#S256': THUMBPRINT } })
    const wanted = { audiences: [OTHER_AUDIENCE] }
    const proven = await refusalOf(() => verify(wanted, { certificate: CERTIFICATE }))
    const unproven = await refusalOf(() => verify(wanted))
    expect([proven.disclosed, unproven.disclosed]).toEqual([true, false])
    await deployment.store.revokeFamily(record)
    const revoked = await refusalOf(() => verify({}, { certificate: CERTIFICATE }))
    expect(revoked).toMatchObject({ reason: 'token_revoked', disclosed: true })
  })

  it('is refused while the store does not answer', async () => {
    const { deployment, token } = await withToken()
    const store = { ...deployment.store, find: () => Promise.reject(new Error('down')) }
    const credential = { token, scheme: 'Bearer' } as const
    const presentation = { credential, presented: request(), expected: EXPECTED }
    const refused = () => verifyAccessToken({ ...deployment, store }, presentation)
    expect(await reasonOf(refused)).toBe('store_unavailable')
  })
})
