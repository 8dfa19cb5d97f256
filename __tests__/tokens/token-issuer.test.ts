import { ProvisioningError } from '../../lib/base/errors.js'
import { TOKEN_SCOPE } from '../../lib/clients/scopes.js'
import type { AccessTokenIdentity, IssueAccessToken } from '../../lib/index.js'
import { exchangeKey } from '../../lib/redemption/actions/token.js'
import type { Verified } from '../../lib/redemption/key-state.js'
import {
  AUDIENCE,
  deployed,
  issueKey,
  parameters,
  refusalOf,
  START,
  verifyBearerKey,
} from '../support/deployed.js'

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const JWT = 'urn:ietf:params:oauth:token-type:jwt'
const GOOD = { accessToken: 'opaque-7', expiresIn: 60 }
const BOUND = { 'x5t#S256': 'C'.repeat(43) }

async function withIssuer(issueAccessToken: IssueAccessToken, jkt?: string) {
  const scopes = ['provision:token', 'devices:read', 'devices:write']
  const given = deployed({ issueAccessToken, environment: 'staging', policy: { scopes } })
  const issued = await issueKey(given, { requested_subject: 'device:7', scope: scopes.join(' ') })
  const exchangeWith = async (form: Record<string, string> = {}) => {
    const verified = await verifyBearerKey(given, issued.key, TOKEN_SCOPE)
    const proof = jkt === undefined ? undefined : { thumbprint: jkt, publicKey: {} as never, spend: nothing }
    return exchangeKey(given.deployment, { ...verified, proof }, { parameters: parameters(form) })
  }
  return { ...given, ...issued, exchangeWith, entry: () => given.deployment.store.find(issued.record) }
}

const nothing = async () => undefined

describe('issueAccessToken', () => {
  it('is asked with who the token is for, and the most that key and policy allow', async () => {
    const asked: AccessTokenIdentity[] = []
    const signals: AbortSignal[] = []
    const { exchangeWith, record, events, entry } = await withIssuer((identity, { signal }) => {
      asked.push(identity)
      signals.push(signal)
      return GOOD
    })
    expect(await exchangeWith({ scope: 'devices:read' })).toEqual({
      access_token: 'opaque-7',
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: 60,
      scope: 'devices:read',
    })
    expect(asked).toEqual([
      {
        clientId: 'device:7',
        subject: 'device:7',
        scope: ['devices:read'],
        audience: AUDIENCE,
        lifetimeSeconds: 600,
        keyId: record.jti,
        redemptionId: expect.stringMatching(/^[\w-]{27}$/),
        keyClientId: 'ci-runner',
        environment: 'staging',
      },
    ])
    expect([Object.isFrozen(asked[0]), Object.isFrozen(asked[0]?.scope)]).toEqual([true, true])
    expect(signals[0]?.aborted).toBe(false)
    // While the token is valid, its family can be revoked and a replay can be found.
    expect(await entry()).toMatchObject({ state: 'redeemed', retainUntil: START + 305 })
    const names = { keyId: record.jti, clientId: 'ci-runner', subject: 'device:7', scope: ['devices:read'] }
    expect(events.at(-1)).toMatchObject({ type: 'token.issued', ...names })
    expect(events.at(-1)).not.toHaveProperty('tokenId')
    expect(JSON.stringify(events)).not.toContain('opaque-7')
  })

  it('keeps the family for as long as its token lives, where that is longer than the key', async () => {
    const { exchangeWith, entry } = await withIssuer(async () => ({ ...GOOD, expiresIn: 600 }))
    await exchangeWith()
    expect(await entry()).toMatchObject({ retainUntil: START + 605 })
  })

  it('is told what the token must be bound to', async () => {
    const asked: AccessTokenIdentity[] = []
    const { exchangeWith } = await withIssuer((identity) => {
      asked.push(identity)
      return { ...GOOD, tokenType: 'dpop' }
    }, 'K'.repeat(43))
    expect(await exchangeWith()).toMatchObject({ token_type: 'DPoP' })
    expect(asked[0]?.confirmation).toEqual({ jkt: 'K'.repeat(43) })
  })

  it.each([
    [{ ...GOOD, expiresIn: 600 }, { expires_in: 600 }],
    [{ ...GOOD, expiresIn: 1 }, { expires_in: 1 }],
    [{ ...GOOD, scope: 'devices:read' }, { scope: 'devices:read' }],
    [{ ...GOOD, scope: 'devices:read devices:read' }, { scope: 'devices:read' }],
    [{ ...GOOD, scope: ['devices:write'] }, { scope: 'devices:write' }],
    [GOOD, { scope: 'devices:read devices:write' }],
    [{ ...GOOD, tokenType: 'bearer' }, { token_type: 'Bearer' }],
    [{ ...GOOD, issuedTokenType: JWT }, { issued_token_type: JWT }],
    [
      { ...GOOD, refreshToken: 'r' },
      { access_token: 'opaque-7', token_type: 'Bearer' },
    ],
  ])('may give this answer: case %#', async (answer, told) => {
    const { exchangeWith } = await withIssuer(() => answer)
    const answered = await exchangeWith()
    expect(answered).toMatchObject(told)
    expect(Object.keys(answered)).toHaveLength(5)
  })

  it.each([
    ['nothing', undefined, 'accessToken'],
    ['null', null, 'accessToken'],
    ['a text', 'opaque-7', 'accessToken'],
    ['no token', { expiresIn: 60 }, 'accessToken'],
    ['an empty token', { ...GOOD, accessToken: '' }, 'accessToken'],
    ['a token with a space', { ...GOOD, accessToken: 'a b' }, 'accessToken'],
    ['a token with a line break', { ...GOOD, accessToken: 'a\n' }, 'accessToken'],
    ['a token beyond ASCII', { ...GOOD, accessToken: 'ä' }, 'accessToken'],
    ['no lifetime', { accessToken: 'a' }, 'expiresIn'],
    ['a lifetime beyond policy', { ...GOOD, expiresIn: 601 }, 'expiresIn'],
    ['a lifetime of nothing', { ...GOOD, expiresIn: 0 }, 'expiresIn'],
    ['a broken lifetime', { ...GOOD, expiresIn: 59.5 }, 'expiresIn'],
    ['an endless lifetime', { ...GOOD, expiresIn: Number.POSITIVE_INFINITY }, 'expiresIn'],
    ['a lifetime that is a text', { ...GOOD, expiresIn: '60' }, 'expiresIn'],
    ['a scope beyond the key', { ...GOOD, scope: 'devices:read admin' }, 'scope'],
    ['a list with a scope beyond the key', { ...GOOD, scope: ['admin'] }, 'scope'],
    ['a scope that is for keys only', { ...GOOD, scope: 'provision:token' }, 'scope'],
    ['no scope at all', { ...GOOD, scope: '' }, 'scope'],
    ['an empty list of scopes', { ...GOOD, scope: [] }, 'scope'],
    ['a scope that is none', { ...GOOD, scope: 7 }, 'scope'],
    ['DPoP for a token that is bound to nothing', { ...GOOD, tokenType: 'DPoP' }, 'tokenType'],
    ['a type that nobody knows', { ...GOOD, tokenType: 'mac' }, 'tokenType'],
    ['a type that is none', { ...GOOD, tokenType: 1 }, 'tokenType'],
    ['a type of token that is none of ours', { ...GOOD, issuedTokenType: `${JWT}x` }, 'issuedTokenType'],
  ])('must not answer %s: this is a server error, and the key is released', async (_, answer, member) => {
    const { exchangeWith, entry, events } = await withIssuer(() => answer as never)
    const refusal = await refusalOf(exchangeWith)
    expect(refusal).toMatchObject({ reason: 'server_fault', code: 'server_error', disclosed: false })
    expect(refusal.message).toMatch(`issueAccessToken returned a wrong ${member}: expected `)
    expect(refusal.message).not.toContain('opaque-7')
    expect(await entry()).toMatchObject({ state: 'issued' })
    expect(events.map(({ type }) => type)).toEqual(['key.issued', 'key.released'])
  })

  it('must not call a token Bearer that is to be bound to a DPoP key', async () => {
    const { exchangeWith } = await withIssuer(() => ({ ...GOOD, tokenType: 'Bearer' }), 'K'.repeat(43))
    expect(await refusalOf(exchangeWith)).toMatchObject({ reason: 'server_fault' })
  })

  it.each([
    ['throws', () => Promise.reject(new Error('connect ECONNREFUSED'))],
    [
      'throws immediately',
      () => {
        throw 'no error even'
      },
    ],
  ])('is asked again later where it %s, with the same key', async (_, fail) => {
    const answers = [fail, () => GOOD]
    const { exchangeWith, entry } = await withIssuer(() => answers.shift()?.() as never)
    const refusal = await refusalOf(exchangeWith)
    expect(refusal).toMatchObject({ reason: 'token_issuer_unavailable', code: 'temporarily_unavailable' })
    expect(await entry()).toMatchObject({ state: 'issued' })
    expect(await exchangeWith()).toMatchObject({ access_token: 'opaque-7' })
  })

  it('may refuse deliberately', async () => {
    const refusal = new ProvisioningError('grant_not_permitted', 'Not this one.', { disclosed: true })
    const { exchangeWith, entry } = await withIssuer(() => Promise.reject(refusal))
    expect(await refusalOf(exchangeWith)).toBe(refusal)
    expect(await entry()).toMatchObject({ state: 'issued' })
  })

  it('is not asked where the exchange is refused', async () => {
    let asked = 0
    const { exchangeWith } = await withIssuer(() => {
      asked += 1
      return GOOD
    })
    await refusalOf(() => exchangeWith({ scope: 'admin' }))
    await exchangeWith()
    await refusalOf(exchangeWith)
    expect(asked).toBe(1)
  })

  it('returns no token for a key that is revoked meanwhile', async () => {
    const given: { revoke?: () => Promise<unknown> } = {}
    const { exchangeWith, deployment, record } = await withIssuer(async () => {
      await given.revoke?.()
      return GOOD
    })
    given.revoke = () => deployment.store.revoke(record)
    expect(await refusalOf(exchangeWith)).toMatchObject({ reason: 'key_revoked' })
  })

  it('is asked once for many concurrent exchanges of one key', async () => {
    let asked = 0
    const { exchangeWith } = await withIssuer(async () => {
      asked += 1
      return GOOD
    })
    const answers = await Promise.allSettled(Array.from({ length: 20 }, () => exchangeWith()))
    expect([asked, answers.filter(({ status }) => status === 'fulfilled').length]).toEqual([1, 1])
  })
})

describe('the initial access token', () => {
  async function exchanging(senderConstraint: 'none' | 'mtls' | 'dpop', certificate?: string) {
    const given = deployed()
    const issued = await issueKey(given)
    const { deployment } = given
    const policyOf: typeof deployment.policyOf = (client) => ({
      ...deployment.policyOf(client),
      senderConstraint,
    })
    const constrained = { ...deployment, policyOf }
    const exchange = (verified: Verified) => exchangeKey(constrained, verified, { parameters: parameters() })
    return { ...given, ...issued, exchange, verified: await verifyBearerKey(given, issued.key), certificate }
  }

  it('is bound to the certificate where policy says mtls, though the key is not', async () => {
    const { exchange, verified, certificate } = await exchanging('mtls', BOUND['x5t#S256'])
    const answer = await exchange({ ...verified, certificate })
    expect(answer.token_type).toBe('Bearer')
    const [, payload = ''] = answer.access_token.split('.')
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({ cnf: BOUND })
  })

  it('is bound to the certificate where the key was, whatever policy says', async () => {
    const { exchange, verified, certificate } = await exchanging('none', BOUND['x5t#S256'])
    const key = { ...verified.key, confirmation: BOUND }
    const answer = await exchange({ ...verified, key, certificate })
    const [, payload = ''] = answer.access_token.split('.')
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({ cnf: BOUND })
  })

  it('is not bound to a certificate that is merely there', async () => {
    const { exchange, verified, certificate } = await exchanging('none', BOUND['x5t#S256'])
    const answer = await exchange({ ...verified, certificate })
    const [, payload = ''] = answer.access_token.split('.')
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).not.toHaveProperty('cnf')
  })

  it.each([
    ['mtls', 'certificate_missing'],
    ['dpop', 'dpop_missing'],
  ] as const)(
    'is refused where policy says %s and nothing is proven, and the key is not spent',
    async (constraint, reason) => {
      const { exchange, verified, deployment, record } = await exchanging(constraint)
      expect(await refusalOf(() => exchange(verified))).toMatchObject({ reason })
      expect(await deployment.store.find(record)).toMatchObject({ state: 'issued' })
    },
  )

  it.each([
    [undefined, undefined, 600],
    [1200, undefined, 1200],
    [3600, undefined, 3600],
    [1200, 60, 60],
    [undefined, 3600, 3600],
  ])('lives as long as the policies %s and %s say: %s s, true to its claim', async (outer, own, lifetime) => {
    const limit = (seconds?: number) => (seconds === undefined ? {} : { accessTokenLifetimeSeconds: seconds })
    const scopes = ['provision:token', 'devices:read']
    const clientSecret = 'correct-horse-battery-staple'
    const policy = { ...limit(own), defaultScopes: scopes }
    const given = deployed({
      policy: { scopes, ...limit(outer) },
      clients: [{ clientId: 'ci-runner', clientSecret, policy }],
    })
    const { key } = await issueKey(given)
    const verified = await verifyBearerKey(given, key)
    const answer = await exchangeKey(given.deployment, verified, { parameters: parameters() })
    const [, payload = ''] = answer.access_token.split('.')
    const { iat, exp } = JSON.parse(Buffer.from(payload, 'base64url').toString())
    expect([answer.expires_in, exp - iat, iat]).toEqual([lifetime, lifetime, START])
  })
})
