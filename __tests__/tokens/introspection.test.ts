import type { ClientOptions } from '../../lib/index.js'
import { revokeOwnToken } from '../../lib/redemption/revocation.js'
import { mintAccessToken } from '../../lib/tokens/access-token.js'
import { introspect } from '../../lib/tokens/introspection.js'
import { compact } from '../support/compact.js'
import {
  AUDIENCE,
  authenticated,
  deployed,
  ISSUER,
  issueKey,
  OTHER_AUDIENCE,
  parameters,
  refusalOf,
  reserveKey,
  SECRET,
  SIGNING_KEY,
  START,
  storeBut,
  workingOptions,
} from '../support/deployed.js'

const clients = () => workingOptions().clients as ClientOptions[]

async function withKey(overrides = {}) {
  const given = deployed(overrides)
  const issued = await issueKey(given)
  const ask = async (token: string, clientId = 'ci-runner') =>
    introspect(given.deployment, await authenticated(given.deployment, clientId), parameters({ token }))
  return { ...given, ...issued, introspect: ask }
}

async function withAccessToken() {
  const given = await withKey()
  const claim = await reserveKey(given, given.verified, 'token')
  const terms = { audience: AUDIENCE, scope: ['devices:read'], lifetimeSeconds: 600, confirmation: undefined }
  const { token, claims } = mintAccessToken(given.deployment, given.verified, terms)
  await claim.settle({ retainUntil: claims.exp })
  return { ...given, token, claims }
}

const INACTIVE = { active: false }

describe('introspect', () => {
  it('tells a client all of its own key (RFC 7662 2.2), by the text of the key or by its jti', async () => {
    const { introspect, key, record } = await withKey()
    const expected = {
      active: true,
      iss: ISSUER,
      aud: AUDIENCE,
      sub: 'ci-runner',
      client_id: 'ci-runner',
      scope: 'provision:token devices:read',
      token_type: 'Bearer',
      iat: START,
      nbf: START,
      exp: START + 300,
      jti: record.jti,
    }
    expect(await introspect(key)).toEqual(expected)
    expect(await introspect(record.jti)).toEqual(expected)
  })

  it('tells a resource server about the keys and tokens for its audience until they are revoked', async () => {
    const api = {
      clientId: 'api',
      clientSecret: SECRET,
      policy: { scopes: [], introspectAudiences: [AUDIENCE] },
    }
    const { deployment, introspect, key, record } = await withKey({ clients: [...clients(), api] })
    expect(await introspect(key, 'api')).toMatchObject({
      active: true,
      client_id: 'ci-runner',
      jti: record.jti,
    })
    expect(await introspect(record.jti, 'api')).toEqual(INACTIVE)
    const caller = await authenticated(deployment, 'api')
    await revokeOwnToken(deployment, caller, parameters({ token: key }))
    expect(await introspect(key, 'api')).toMatchObject({ active: true })
    await revokeOwnToken(deployment, await authenticated(deployment), parameters({ token: key }))
    expect(await introspect(key, 'api')).toEqual(INACTIVE)
  })

  it('says nothing to a resource server about another audience', async () => {
    const api = {
      clientId: 'api',
      clientSecret: SECRET,
      policy: { scopes: [], introspectAudiences: [OTHER_AUDIENCE] },
    }
    const { introspect, key } = await withKey({ clients: [...clients(), api] })
    expect(await introspect(key, 'api')).toEqual(INACTIVE)
  })

  it('tells nothing of it to another client', async () => {
    const { introspect, key, record } = await withKey()
    expect(await introspect(key, 'bystander')).toEqual(INACTIVE)
    expect(await introspect(record.jti, 'bystander')).toEqual(INACTIVE)
  })

  it.each(['unknown', 'a.b.c', 'eyJ', '.', '..', ' ', '__proto__'])('tells nothing of %j', async (token) => {
    const { introspect } = await withKey()
    expect(await introspect(token)).toEqual(INACTIVE)
  })

  it('calls a key inactive once it is being redeemed, redeemed or revoked', async () => {
    const { introspect, key, deployment, verified } = await withKey()
    const claim = await reserveKey({ deployment }, verified, 'route')
    expect(await introspect(key)).toEqual(INACTIVE)
    await claim.release()
    expect(await introspect(key)).toMatchObject({ active: true })
    await deployment.store.revoke(verified)
    expect(await introspect(key)).toEqual(INACTIVE)
    expect(await introspect(verified.jti)).toEqual(INACTIVE)
  })

  it('calls a key inactive from its exp on, by text and by jti alike', async () => {
    const { introspect, key, record, clock } = await withKey()
    for (const [seconds, active] of [
      [START + 299, true],
      [START + 300, false],
      [START + 10_000, false],
    ] as const) {
      clock.seconds = seconds
      expect([(await introspect(key)).active, (await introspect(record.jti)).active]).toEqual([
        active,
        active,
      ])
    }
  })

  it('calls a forged key inactive, though its jti is one that is live', async () => {
    const { introspect, deployment, record } = await withKey()
    const { kid } = deployment.keyRing.active()
    const claims = {
      iss: ISSUER,
      aud: AUDIENCE,
      sub: 'a',
      client_id: 'ci-runner',
      scope: 'a',
      jti: record.jti,
    }
    const times = { iat: START, nbf: START, exp: START + 300 }
    const header = { alg: 'ES256', typ: 'provisioning-key+jwt', kid }
    const forged = compact(header, { ...claims, ...times }, SIGNING_KEY)
    expect(await introspect(`${forged.slice(0, -2)}AA`)).toEqual(INACTIVE)
    const foreign = compact(header, { ...claims, ...times, aud: 'https://evil.example.com' }, SIGNING_KEY)
    expect(await introspect(foreign)).toEqual(INACTIVE)
  })

  it('tells of an access token to the client of its key while its family lives', async () => {
    const { introspect, token, claims, deployment, verified } = await withAccessToken()
    const { iss, aud, sub, client_id, scope, iat, exp, jti } = claims
    const told = {
      active: true,
      iss,
      aud,
      sub,
      client_id,
      scope,
      token_type: 'Bearer',
      iat,
      nbf: iat,
      exp,
      jti,
    }
    expect(await introspect(token)).toEqual(told)
    expect(await introspect(token, 'bystander')).toEqual(INACTIVE)
    await deployment.store.revokeFamily(verified)
    expect(await introspect(token)).toEqual(INACTIVE)
  })

  it('calls an access token inactive from its exp on', async () => {
    const { introspect, token, clock } = await withAccessToken()
    clock.seconds = START + 599
    expect(await introspect(token)).toMatchObject({ active: true })
    clock.seconds = START + 600
    expect(await introspect(token)).toEqual(INACTIVE)
  })

  it('calls an access token inactive that no guard of the deployment would take', async () => {
    const { token, verified, deployment } = await withAccessToken()
    const client = await authenticated(deployment)
    const others = [
      { environment: 'staging' },
      { audiences: ['https://elsewhere.example.com'] },
      { maxAccessTokenLifetimeSeconds: 599 },
      { now: () => (START - 60) * 1000 },
    ]
    for (const other of others) {
      const changed = { ...deployment, ...other }
      expect(await introspect(changed, client, parameters({ token }))).toEqual(INACTIVE)
    }
    expect(await deployment.store.find(verified)).toMatchObject({ state: 'redeemed' })
  })

  it('wants a token', async () => {
    const { deployment } = deployed()
    const client = await authenticated(deployment)
    const refusal = await refusalOf(() => introspect(deployment, client, parameters()))
    expect(refusal).toMatchObject({ reason: 'parameter_missing', disclosed: true })
  })

  it('says neither active nor inactive while the store does not answer', async () => {
    const { introspect, key } = await withKey({
      store: storeBut({ find: () => Promise.reject(new Error('down')) }),
    })
    expect(await refusalOf(() => introspect(key))).toMatchObject({ reason: 'store_unavailable' })
  })
})
