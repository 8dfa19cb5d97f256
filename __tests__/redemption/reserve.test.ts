import fc from 'fast-check'
import type { RedemptionAction } from '../../lib/ports/redemption.js'
import type { VerifiedKey } from '../../lib/tokens/provisioning-key.js'
import { deployed, issueKey, reasonOf, refusalOf, reserveKey, storeBut } from '../support/deployed.js'

async function issued(overrides = {}) {
  const given = deployed(overrides)
  const { verified, record } = await issueKey(given)
  const { store } = given.deployment
  const typesOfEvents = () => given.events.map(({ type }) => type)
  const stateOf = async () => (await store.find(record))?.state
  return {
    ...given,
    key: verified,
    redeem: (one: VerifiedKey, action: RedemptionAction, address?: string) =>
      reserveKey(given, one, action, address),
    store,
    record,
    typesOfEvents,
    stateOf,
  }
}

const down = () => Promise.reject(new Error('down'))
const thrown = () => {
  throw new Error('down')
}

describe('redeem', () => {
  it('lets exactly one of many concurrent attempts have the key', async () => {
    const { redeem, key, stateOf } = await issued()
    const attempts = await Promise.allSettled(Array.from({ length: 50 }, () => redeem(key, 'route')))
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const reasons = attempts.flatMap((attempt) =>
      attempt.status === 'rejected' ? attempt.reason.reason : [],
    )
    expect(new Set(reasons)).toEqual(new Set(['key_redeeming']))
    expect(await stateOf()).toBe('redeeming')
  })

  it('tells nobody before the claim is settled or released', async () => {
    const { redeem, key, typesOfEvents } = await issued()
    await redeem(key, 'route')
    expect(typesOfEvents()).toEqual(['key.issued'])
  })

  it.each([
    ['revoked', 'key_revoked'],
    ['expired', 'key_expired'],
    ['redeemed', 'key_redeemed'],
  ])('refuses a key that was %s since it was verified', async (deed, reason) => {
    const { redeem, key, store, clock } = await issued()
    if (deed === 'revoked') await store.revoke(key)
    if (deed === 'expired') clock.seconds += 10_000
    if (deed === 'redeemed') await (await redeem(key, 'route')).settle()
    const facts = { clientId: 'ci-runner', jti: key.jti }
    expect(await refusalOf(() => redeem(key, 'route'))).toMatchObject({
      reason,
      code: 'invalid_token',
      facts,
    })
  })

  it('refuses a key that the store has forgotten since it was verified', async () => {
    const { redeem, key } = await issued({ store: storeBut({ redeem: async () => 'unknown' }) })
    expect(await reasonOf(() => redeem(key, 'route'))).toBe('key_unknown')
  })

  it('takes a second redemption for a replay and revokes the family', async () => {
    const { redeem, key, store, events } = await issued()
    await (await redeem(key, 'token')).settle()
    await reasonOf(() => redeem(key, 'bind', '198.51.100.7'))
    expect(await store.find(key)).toMatchObject({ familyRevoked: true })
    expect(events.at(-1)).toMatchObject({
      type: 'key.replayed',
      address: '198.51.100.7',
      familyRevoked: true,
    })
  })

  it.each([down, thrown])('refuses with 503 while the store does not answer', async (redeemVerb) => {
    const { redeem, key } = await issued({ store: storeBut({ redeem: redeemVerb }) })
    expect(await reasonOf(() => redeem(key, 'route'))).toBe('store_unavailable')
  })
})

describe('a claim', () => {
  it('that is settled redeems the key for good, and says for what', async () => {
    const { redeem, key, stateOf, events } = await issued()
    await (await redeem(key, 'register')).settle()
    expect(await stateOf()).toBe('redeemed')
    const { jti: keyId, clientId, subject } = key
    expect(events.at(-1)).toMatchObject({
      type: 'key.redeemed',
      keyId,
      clientId,
      subject,
      action: 'register',
    })
  })

  it('that is released lets the key be presented again', async () => {
    const { redeem, key, stateOf, events } = await issued()
    await (await redeem(key, 'bind')).release()
    expect(await stateOf()).toBe('issued')
    expect(events.at(-1)).toMatchObject({ type: 'key.released', keyId: key.jti, action: 'bind' })
    await (await redeem(key, 'bind')).settle()
    expect(await stateOf()).toBe('redeemed')
  })

  it('keeps the entry as long as its result is valid, and at least as long as the key', async () => {
    for (const [asked, kept] of [
      [10_000, 10_000],
      [10, 305],
      [undefined, 305],
    ] as const) {
      const { redeem, key, store } = await issued()
      await (await redeem(key, 'token')).settle(asked ? { retainUntil: key.issuedAt + asked } : {})
      expect((await store.find(key))?.retainUntil).toBe(key.issuedAt + kept)
    }
  })

  it('that was lost to a revocation can settle no more', async () => {
    const { redeem, key, store, typesOfEvents } = await issued()
    const claim = await redeem(key, 'route')
    await store.revoke(key)
    expect(await reasonOf(() => claim.settle())).toBe('key_revoked')
    await claim.release()
    expect(typesOfEvents()).toEqual(['key.issued'])
  })

  it('that outlived its key can settle no more', async () => {
    const { redeem, key, clock } = await issued()
    const claim = await redeem(key, 'route')
    clock.seconds += 306
    expect(await reasonOf(() => claim.settle())).toBe('key_unknown')
  })

  it('of an earlier attempt settles and releases nothing of a later one', async () => {
    const { redeem, key, stateOf } = await issued()
    const earlier = await redeem(key, 'route')
    await earlier.release()
    await redeem(key, 'route')
    expect(await reasonOf(() => earlier.settle())).toBe('key_redeeming')
    await earlier.release()
    expect(await stateOf()).toBe('redeeming')
  })

  it('ends with whichever of settle and release is called first, and the key is never both', async () => {
    const deed = fc.constantFrom('settle', 'release', 'revoke')
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { minLength: 1, maxLength: 6 }), async (deeds) => {
        const { redeem, key, store, stateOf, typesOfEvents } = await issued()
        const claim = await redeem(key, 'route')
        const acts = {
          settle: () => claim.settle(),
          release: () => claim.release(),
          revoke: () => store.revoke(key),
        }
        for (const name of deeds) await reasonOf(acts[name])
        const [first] = deeds
        const issuedAgain = deeds.includes('revoke') ? 'revoked' : 'issued'
        expect(await stateOf()).toBe(
          { settle: 'redeemed', release: issuedAgain, revoke: 'revoked' }[first ?? 'revoke'],
        )
        const told = { settle: ['key.redeemed'], release: ['key.released'], revoke: [] }[first ?? 'revoke']
        expect(typesOfEvents()).toEqual(['key.issued', ...told])
      }),
      { numRuns: 60 },
    )
  })

  it.each([down, thrown])('cannot be settled while the store does not answer', async (settle) => {
    const { redeem, key, typesOfEvents } = await issued({ store: storeBut({ settle }) })
    const claim = await redeem(key, 'route')
    expect(await reasonOf(() => claim.settle())).toBe('store_unavailable')
    expect(typesOfEvents()).toEqual(['key.issued'])
  })

  it.each([down, thrown])(
    'that cannot be released stays claimed, and nobody is troubled',
    async (release) => {
      const { redeem, key, stateOf, typesOfEvents } = await issued({ store: storeBut({ release }) })
      await (await redeem(key, 'route')).release()
      expect([await stateOf(), typesOfEvents()]).toEqual(['redeeming', ['key.issued']])
    },
  )
})
