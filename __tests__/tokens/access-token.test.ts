import { decodeProtectedHeader, jwtVerify } from 'jose'
import { signJwt } from '../../lib/jose/jwt.js'
import { ACCESS_TOKEN, mintAccessToken, tokenFault } from '../../lib/tokens/access-token.js'
import { verifyGenuine, verifyTerms } from '../../lib/tokens/issued-token.js'
import {
  deployed,
  ISSUER,
  issueKey,
  OTHER_AUDIENCE,
  reasonOf,
  reserveKey,
  START,
  storeBut,
  workingOptions,
} from '../support/deployed.js'

const TERMS = {
  audience: OTHER_AUDIENCE,
  scope: ['devices:read'],
  lifetimeSeconds: 600,
  confirmation: undefined,
}

async function minted(overrides = {}) {
  const given = deployed(overrides)
  const issued = await issueKey(given, { requested_subject: 'device:7' })
  return { ...given, ...issued, ...mintAccessToken(given.deployment, issued.verified, TERMS) }
}

describe('mintAccessToken', () => {
  it('mints what RFC 9068 2.2 wants, for the subject of the key, and the names of its family', async () => {
    const { deployment, token, record } = await minted()
    const { publicKey } = deployment.keyRing.active()
    const currentDate = new Date(START * 1000)
    const { payload } = await jwtVerify(token, publicKey, { typ: 'at+jwt', issuer: ISSUER, currentDate })
    expect(payload).toEqual({
      iss: ISSUER,
      aud: OTHER_AUDIENCE,
      sub: 'device:7',
      client_id: 'device:7',
      scope: 'devices:read',
      iat: START,
      exp: START + 600,
      jti: expect.stringMatching(/^[\w-]{27}$/),
      key_id: record.jti,
      key_client_id: 'ci-runner',
    })
    const { kid } = deployment.keyRing.active()
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid })
  })
})

describe('verifyGenuine of an access token', () => {
  it('answers the claims of a token, whatever has become of it', async () => {
    const { deployment, clock, token, claims } = await minted()
    clock.seconds = START + 10_000
    expect(verifyGenuine(deployment, ACCESS_TOKEN, token)).toEqual(claims)
  })

  it('refuses a provisioning key, though it is from the same deployment (RFC 9068 4)', async () => {
    const { deployment, key } = await minted()
    expect(await reasonOf(() => verifyGenuine(deployment, ACCESS_TOKEN, key))).toBe('key_type_wrong')
  })

  it('refuses a token of another issuer', async () => {
    const { token } = await minted()
    const { deployment } = deployed({ issuer: 'https://other.example.com' })
    expect(await reasonOf(() => verifyGenuine(deployment, ACCESS_TOKEN, token))).toBe('issuer_wrong')
  })

  const NEEDED = ['iss', 'aud', 'sub', 'client_id', 'scope', 'jti', 'key_id', 'key_client_id', 'exp']

  it.each(NEEDED)('refuses a token without %s (RFC 9068 2.2)', async (name) => {
    const { deployment, claims } = await minted()
    const { [name as keyof typeof claims]: _, ...others } = claims
    const token = signJwt(others, deployment.keyRing.active(), 'at+jwt')
    expect(await reasonOf(() => verifyGenuine(deployment, ACCESS_TOKEN, token))).toBe('claims_malformed')
  })

  it.each([
    { iss: '' },
    { sub: 7 },
    { scope: '' },
    { scope: ['devices:read'] },
    { aud: [OTHER_AUDIENCE] },
    { exp: START + 0.5 },
    { nbf: START + 0.5 },
    { env: 3 },
  ])('refuses a token that says %j', async (changed) => {
    const { deployment, claims } = await minted()
    const token = signJwt({ ...claims, ...changed }, deployment.keyRing.active(), 'at+jwt')
    expect(await reasonOf(() => verifyGenuine(deployment, ACCESS_TOKEN, token))).toBe('claims_malformed')
  })
})

describe('verifyTerms of an access token', () => {
  async function judging(changed: object = {}, overrides = {}) {
    const given = await minted(overrides)
    const claims = { ...given.claims, ...changed }
    const judge = (audiences: readonly string[] = [OTHER_AUDIENCE]) =>
      reasonOf(() => verifyTerms(given.deployment, ACCESS_TOKEN, claims, audiences))
    return { ...given, judge }
  }

  it('accepts a token until the tolerance past its expiry is over', async () => {
    const { clock, judge } = await judging()
    const reasons = []
    for (const second of [0, 599, 600, 604, 605]) {
      clock.seconds = START + second
      reasons.push(await judge())
    }
    expect(reasons).toEqual([undefined, undefined, undefined, undefined, 'key_expired'])
  })

  it.each([
    [{ aud: 'https://api.example.com' }, 'audience_wrong'],
    [{ aud: `${OTHER_AUDIENCE}/` }, 'audience_wrong'],
    [{ env: 'staging' }, 'environment_wrong'],
    [{ iat: START + 5 }, undefined],
    [{ iat: START + 6 }, 'key_not_yet_valid'],
    [{ nbf: START + 6 }, 'key_not_yet_valid'],
    [{ exp: START + 3600 }, undefined],
    [{ exp: START + 3601 }, 'lifetime_excessive'],
    [{ iat: START - 3601 }, 'lifetime_excessive'],
    [{ exp: START }, 'lifetime_excessive'],
  ])('judges a token that says %j: %s', async (changed, reason) => {
    const { judge } = await judging(changed)
    expect(await judge()).toBe(reason)
  })

  it("takes the deployment's policy for the cap on the lifetime, where it names one", async () => {
    const overrides = {
      policy: { ...workingOptions().policy, accessTokenLifetimeSeconds: 300 },
    }
    const { judge } = await judging({}, overrides)
    expect(await judge()).toBe('lifetime_excessive')
  })

  it('wants the environment it is in', async () => {
    const here = await judging({}, { environment: 'staging' })
    expect(here.claims).toMatchObject({ env: 'staging' })
    expect(await here.judge()).toBeUndefined()
    const without = await judging({ env: undefined }, { environment: 'staging' })
    expect(await without.judge()).toBe('environment_wrong')
  })
})

describe('the state of an access token', () => {
  /** A token that stays within the terms of its key. */
  async function within(overrides = {}) {
    const given = await minted(overrides)
    const { audience, scope } = given.record
    return { ...given, claims: { ...given.claims, aud: audience, scope: scope.join(' ') } }
  }

  it('is valid from the redemption of the key until its family is revoked', async () => {
    const { deployment, verified, claims } = await within()
    const fault = () => tokenFault(deployment, claims)
    expect(await fault()).toBe('token_unknown')
    const claim = await reserveKey({ deployment }, verified, 'token')
    expect(await fault()).toBe('token_unknown')
    await claim.settle()
    expect(await fault()).toBeUndefined()
    await deployment.store.revokeFamily(verified)
    expect(await fault()).toBe('token_revoked')
  })

  it('is revoked if the key is', async () => {
    const { deployment, verified, claims } = await within()
    await deployment.store.revoke(verified)
    expect(await tokenFault(deployment, claims)).toBe('token_revoked')
  })

  it('is unknown if the store does not know the key', async () => {
    const { claims } = await within()
    expect(await tokenFault(deployed().deployment, claims)).toBe('token_unknown')
  })

  it('is refused while the store does not answer', async () => {
    const { claims } = await within()
    const { deployment } = deployed({ store: storeBut({ find: () => Promise.reject(new Error('down')) }) })
    expect(await reasonOf(() => tokenFault(deployment, claims))).toBe('store_unavailable')
  })
})
