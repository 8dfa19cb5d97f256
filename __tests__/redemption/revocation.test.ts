import type { IssuedBefore } from '../../lib/ports/store.js'
import { revokeCompromised, revokeKey, revokeOwnToken } from '../../lib/redemption/revocation.js'
import { mintAccessToken } from '../../lib/tokens/access-token.js'
import { revokeIssuedBefore } from '../../lib/tokens/issued-before.js'
import {
  AUDIENCE,
  authenticated,
  deployed,
  issueKey,
  parameters,
  reasonOf,
  reserveKey,
  START,
  storeBut,
} from '../support/deployed.js'

const down = () => Promise.reject(new Error('down'))
const thrown = () => {
  throw new Error('down')
}

async function withKey(overrides = {}) {
  const given = deployed(overrides)
  const issued = await issueKey(given)
  const { store } = given.deployment
  const revoke = async (token: string, clientId = 'ci-runner') =>
    revokeOwnToken(given.deployment, await authenticated(given.deployment, clientId), parameters({ token }))
  const told = () => given.events.slice(1).map(({ type, severity }) => `${type} ${severity}`)
  return { ...given, ...issued, store, revoke, told, entry: () => store.find(issued.record) }
}

describe('revoke', () => {
  it.each(['key', 'jti'])("revokes one of the client's keys by its %s, and tells of it once", async (how) => {
    const { revoke, key, record, entry, told } = await withKey()
    for (let i = 0; i < 2; i += 1) await revoke(how === 'key' ? key : record.jti)
    expect(await entry()).toMatchObject({ state: 'revoked' })
    expect(told()).toEqual(['key.revoked notice'])
  })

  it('emits the subject of a revoked key, if it gets more than the id of the key', async () => {
    const { deployment, revoke, key, record, events } = await withKey()
    await revoke(key)
    const other = await issueKey({ deployment })
    await revoke(other.record.jti)
    const known = events.flatMap((event) => (event.type === 'key.revoked' ? [event.subject] : []))
    expect(known).toEqual([record.subject, undefined])
  })

  it.each(['key', 'jti'])("leaves another's key alone, silently, by its %s (RFC 7009 2.2)", async (how) => {
    const { revoke, key, record, entry, told } = await withKey()
    expect(await reasonOf(() => revoke(how === 'key' ? key : record.jti, 'bystander'))).toBeUndefined()
    expect([(await entry())?.state, told()]).toEqual(['issued', []])
  })

  it.each(['unknown', 'a.b.c', '.', ' '])('leaves %j alone, silently', async (token) => {
    const { revoke, told } = await withKey()
    expect(await reasonOf(() => revoke(token))).toBeUndefined()
    expect(told()).toEqual([])
  })

  it('takes a key from the attempt that is redeeming it, so that it is never both', async () => {
    const { revoke, deployment, verified, key, entry } = await withKey()
    const claim = await reserveKey({ deployment }, verified, 'route')
    await revoke(key)
    expect(await reasonOf(() => claim.settle())).toBe('key_revoked')
    expect(await entry()).toMatchObject({ state: 'revoked' })
  })

  it('comes too late for a key that is redeemed', async () => {
    const { revoke, deployment, verified, key, entry } = await withKey()
    await (await reserveKey({ deployment }, verified, 'route')).settle()
    await revoke(key)
    expect(await entry()).toMatchObject({ state: 'redeemed', familyRevoked: false })
  })

  it('of an access token revokes the family of its key, for the client of the key alone', async () => {
    const { revoke, deployment, verified, entry, told } = await withKey()
    await (await reserveKey({ deployment }, verified, 'token')).settle()
    const terms = {
      audience: AUDIENCE,
      scope: ['devices:read'],
      lifetimeSeconds: 60,
      confirmation: undefined,
    }
    const { token } = mintAccessToken(deployment, verified, terms)
    await revoke(token, 'bystander')
    expect(await entry()).toMatchObject({ familyRevoked: false })
    for (let i = 0; i < 2; i += 1) await revoke(token)
    expect(await entry()).toMatchObject({ familyRevoked: true })
    expect(told()).toEqual(['key.redeemed info', 'token.revoked notice'])
  })

  it('wants a token, and a store that answers', async () => {
    const { deployment, revoke, key } = await withKey({ store: storeBut({ revoke: down }) })
    const client = await authenticated(deployment)
    expect(await reasonOf(() => revokeOwnToken(deployment, client, parameters()))).toBe('parameter_missing')
    expect(await reasonOf(() => revoke(key))).toBe('store_unavailable')
  })
})

describe('revokeKey', () => {
  it('answers what became of the key', async () => {
    const { deployment, record } = await withKey()
    const stranger = { ...record, clientId: 'bystander' }
    const outcomes = [await revokeKey(deployment, stranger), await revokeKey(deployment, record)]
    expect([...outcomes, await revokeKey(deployment, record)]).toEqual(['unknown', 'revoked', 'unchanged'])
  })
})

describe('a key that travelled in clear', () => {
  it('is revoked, and told of as exposed, with the address it came from', async () => {
    const { deployment, key, record, entry, events } = await withKey()
    await revokeCompromised(deployment, {
      how: 'exposed',
      texts: ['Mozilla/5.0', key],
      source: { address: '198.51.100.7' },
    })
    expect(await entry()).toMatchObject({ state: 'revoked' })
    const { jti: keyId, clientId } = record
    const told = {
      type: 'key.exposed',
      severity: 'high',
      keyId,
      clientId,
      address: '198.51.100.7',
      revoked: true,
    }
    expect(events.slice(1)).toMatchObject([told])
    expect(JSON.stringify(events)).not.toContain(key)
  })

  it('is told of again when it travels again, though it was revoked already', async () => {
    const { deployment, key, events } = await withKey()
    await revokeCompromised(deployment, { how: 'exposed', texts: [key, key], source: { address: undefined } })
    expect(events.slice(1)).toMatchObject([{ revoked: true }, { revoked: false }])
  })

  it.each(['', 'a.b.c', 'Bearer', '.'.repeat(100_000)])(
    'is not found in a text that holds none',
    async (text) => {
      const { deployment, told } = await withKey()
      await revokeCompromised(deployment, { how: 'exposed', texts: [text], source: { address: undefined } })
      expect(told()).toEqual([])
    },
  )

  it('is not what a forger sends: no genuine key is revoked by it', async () => {
    const { deployment, key, entry, told } = await withKey()
    await revokeCompromised(deployment, {
      how: 'exposed',
      texts: [`${key.slice(0, -4)}AAAA`],
      source: { address: undefined },
    })
    expect([(await entry())?.state, told()]).toEqual(['issued', []])
  })

  it.each([down, thrown])('is told of as not revoked while the store does not answer', async (revoke) => {
    const { deployment, key, events } = await withKey({ store: storeBut({ revoke }) })
    await revokeCompromised(deployment, { how: 'exposed', texts: [key], source: { address: undefined } })
    expect(events.slice(1)).toMatchObject([{ type: 'key.exposed', revoked: false }])
  })
})

describe('revokeIssuedBefore', () => {
  it.each([
    [{ clockToleranceSeconds: 5, policy: {} }, START - 60, START - 55, 5 + 900 + 3600],
    [{ clockToleranceSeconds: 0, policy: {} }, START, START, 900 + 3600],
    [
      { clockToleranceSeconds: 5, policy: { maxLifetimeSeconds: 60, accessTokenLifetimeSeconds: 120 } },
      0,
      5,
      185,
    ],
  ])(
    'revokes up to the tolerance, as long as a covered key or token can live: case %#',
    async ({ policy, ...options }, issuedBefore, expected, least) => {
      const bounds: IssuedBefore[] = []
      const raise = async (bound: IssuedBefore) => {
        bounds.push(bound)
        return 'revoked' as const
      }
      const store = storeBut({ revokeIssuedBefore: raise })
      const scopes = ['provision:token', 'devices:read']
      const { deployment } = deployed({ ...options, store, clients: [], policy: { scopes, ...policy } })
      expect(await revokeIssuedBefore(deployment, { issuedBefore })).toBe('revoked')
      expect(bounds).toEqual([{ issuedBefore: expected, retainUntil: expect.any(Number) }])
      expect(bounds[0]?.retainUntil).toBeGreaterThan(START + least)
      expect(bounds[0]?.retainUntil).toBeLessThan(START + least + 60)
    },
  )

  it('holds for as long as anything that it covers can live, for the last key and its token', async () => {
    const { deployment, clock, record, verified, store } = await withKey({
      policy: { scopes: ['provision:token', 'devices:read'], accessTokenLifetimeSeconds: 3600 },
      clients: [
        {
          clientId: 'ci-runner',
          clientSecret: 'correct-horse-battery-staple',
          policy: { defaultScopes: ['devices:read'] },
        },
      ],
    })
    clock.seconds = record.retainUntil - 1
    await (await reserveKey({ deployment }, verified, 'token')).settle({ retainUntil: clock.seconds + 3600 })
    await revokeIssuedBefore(deployment, { issuedBefore: START })
    clock.seconds += 3600
    expect(await store.find(record)).toMatchObject({ state: 'redeemed', familyRevoked: true })
  })

  it.each([down, thrown])('refuses as unavailable when the store does not answer', async (revokeIssued) => {
    const { deployment, events } = deployed({ store: storeBut({ revokeIssuedBefore: revokeIssued }) })
    expect(await reasonOf(() => revokeIssuedBefore(deployment, { issuedBefore: START }))).toBe(
      'store_unavailable',
    )
    expect(events).toEqual([])
  })
})

describe('an access token that travelled in clear', () => {
  async function withToken(overrides = {}) {
    const given = await withKey(overrides)
    const { deployment, verified } = given
    await (await reserveKey({ deployment }, verified, 'token')).settle()
    const terms = { audience: AUDIENCE, scope: ['a'], lifetimeSeconds: 60, confirmation: undefined }
    return { ...given, ...mintAccessToken(deployment, verified, terms) }
  }

  it('is revoked with its family, and told of as exposed', async () => {
    const { deployment, token, claims, record, entry, events } = await withToken()
    await revokeCompromised(deployment, {
      how: 'exposed',
      texts: [token, token],
      source: { address: '198.51.100.7' },
    })
    expect(await entry()).toMatchObject({ state: 'redeemed', familyRevoked: true })
    const names = { keyId: record.jti, clientId: record.clientId, tokenId: claims.jti }
    const told = { type: 'token.exposed', severity: 'high', ...names, address: '198.51.100.7' }
    expect(events.slice(2)).toMatchObject([
      { ...told, revoked: true },
      { ...told, revoked: false },
    ])
    expect(JSON.stringify(events)).not.toContain(token)
  })

  it('is let be when its time is over, or a forger made it', async () => {
    const { deployment, token, entry, told, clock } = await withToken()
    await revokeCompromised(deployment, {
      how: 'exposed',
      texts: [`${token.slice(0, -4)}AAAA`],
      source: { address: undefined },
    })
    clock.seconds += 65
    await revokeCompromised(deployment, { how: 'exposed', texts: [token], source: { address: undefined } })
    expect(await entry()).toMatchObject({ familyRevoked: false })
    expect(told()).toEqual(['key.redeemed info'])
  })

  it.each([down, thrown])(
    'is told of as not revoked while the store does not answer',
    async (revokeFamily) => {
      const { deployment, token, events } = await withToken({ store: storeBut({ revokeFamily }) })
      await revokeCompromised(deployment, { how: 'exposed', texts: [token], source: { address: undefined } })
      expect(events.at(-1)).toMatchObject({ type: 'token.exposed', revoked: false })
    },
  )
})
