import { decodeProtectedHeader, jwtVerify } from 'jose'
import { isFamilyAlive, mintAccessToken, readAccessToken } from '../../lib/core/access-token.js'
import { signJwt } from '../../lib/core/jwt.js'
import { redeemer } from '../../lib/core/redemption.js'
import { deployed, ISSUER, issueKey, OTHER_AUDIENCE, reasonOf, START, storeBut } from './deployed.js'

const TERMS = {
  audience: OTHER_AUDIENCE,
  scope: ['devices:read'],
  lifetimeSeconds: 600,
  confirmation: undefined,
}

async function minted() {
  const given = deployed()
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

describe('readAccessToken', () => {
  it('answers the claims of a token until the second it expires at', async () => {
    const { deployment, clock, token, claims } = await minted()
    clock.seconds = START + 599
    expect(readAccessToken(deployment, token)).toEqual(claims)
    clock.seconds = START + 600
    expect(await reasonOf(() => readAccessToken(deployment, token))).toBe('key_expired')
  })

  it('refuses a provisioning key, though it is from the same deployment', async () => {
    const { deployment, key } = await minted()
    expect(await reasonOf(() => readAccessToken(deployment, key))).toBe('key_type_wrong')
  })

  it('refuses a token of another issuer', async () => {
    const { token } = await minted()
    const { deployment } = deployed({ issuer: 'https://other.example.com' })
    expect(await reasonOf(() => readAccessToken(deployment, token))).toBe('issuer_wrong')
  })

  it.each(['iss', 'aud', 'sub', 'client_id', 'scope', 'jti', 'key_id', 'key_client_id', 'exp'])(
    'refuses a token without %s',
    async (name) => {
      const { deployment, claims } = await minted()
      const { [name as keyof typeof claims]: _, ...others } = claims
      const token = signJwt(others, deployment.keyRing.active(), 'at+jwt')
      expect(await reasonOf(() => readAccessToken(deployment, token))).toBe('claims_malformed')
    },
  )
})

describe('isFamilyAlive', () => {
  it('is so from the redemption of the key until its family is revoked', async () => {
    const { deployment, verified } = await minted()
    const alive = () => isFamilyAlive(deployment, verified)
    expect(await alive()).toBe(false)
    const claim = await redeemer(deployment)(verified, 'token')
    expect(await alive()).toBe(false)
    await claim.settle()
    expect(await alive()).toBe(true)
    await deployment.store.revokeFamily(verified)
    expect(await alive()).toBe(false)
  })

  it('is not so for a key that the store does not know', async () => {
    const { verified } = await minted()
    expect(await isFamilyAlive(deployed().deployment, verified)).toBe(false)
  })

  it('is refused while the store does not answer', async () => {
    const { verified } = await minted()
    const { deployment } = deployed({ store: storeBut({ find: () => Promise.reject(new Error('down')) }) })
    expect(await reasonOf(() => isFamilyAlive(deployment, verified))).toBe('store_unavailable')
  })
})
