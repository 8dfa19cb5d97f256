import type { ProvisioningOptions } from '../../lib/options/provisioning-options.js'
import { OutcomeCipher } from '../../lib/redemption/outcome.js'
import type { RedemptionRequest, Reservation } from '../../lib/redemption/reservation.js'
import { reserve } from '../../lib/redemption/reserve.js'
import type { VerifiedKey } from '../../lib/tokens/provisioning-key.js'
import { deployed, issueKey, reasonOf, refusalOf, storeBut } from '../support/deployed.js'

const OURS = { jkt: 'ours' }
const OTHERS = { 'x5t#S256': 'ours' }
const OUTCOME = Buffer.from('an outcome')

async function issued(overrides: Partial<ProvisioningOptions> = {}) {
  const given = deployed(overrides)
  const { key, verified, record } = await issueKey(given)
  const pauses: number[] = []
  const then: (() => unknown)[] = []
  const pause = async (milliseconds: number) => {
    pauses.push(milliseconds)
    await then.shift()?.()
  }
  const ask = (differences: Partial<RedemptionRequest> = {}) =>
    reserve(
      { ...given.deployment, pause },
      { key: verified, state: 'issued', outcomeCipher: new OutcomeCipher(key), proof: undefined },
      { action: 'route', ownerConfirmation: OURS, digest: 'the same', ...differences },
    )
  const claim = (differences: Partial<RedemptionRequest> = {}) => ask(differences) as Promise<Reservation>
  const redeemed = async (settled = { outcome: OUTCOME }) => (await claim()).settle(settled)
  return { ...given, verified: verified as VerifiedKey, record, pauses, then, ask, claim, redeemed }
}

describe('a redemption by an owner', () => {
  it('is answered again for the same request, as often as asked, and is one redemption', async () => {
    const { ask, redeemed, events } = await issued()
    await redeemed()
    for (let i = 0; i < 3; i += 1) expect(await ask()).toEqual({ kind: 'repetition', outcome: OUTCOME })
    const types = events.map(({ type }) => type)
    expect(types).toEqual(['key.issued', 'key.redeemed', ...Array(3).fill('redemption.repeated')])
  })

  it.each<[string, Partial<RedemptionRequest>]>([
    ['for another request', { digest: 'another' }],
    ['for a request that cannot be told from others', { digest: undefined }],
    ['by another holder', { ownerConfirmation: OTHERS }],
    ['by the holder of two things', { ownerConfirmation: { ...OURS, ...OTHERS } }],
    ['by nobody', { ownerConfirmation: undefined }],
  ])('is replayed %s, and then answered to nobody any more', async (_, differences) => {
    const { ask, redeemed, record, deployment, events } = await issued()
    await redeemed()
    expect(await reasonOf(() => ask(differences))).toBe('key_redeemed')
    expect(events.at(-1)).toMatchObject({ type: 'key.replayed', familyRevoked: true })
    expect(await reasonOf(() => ask())).toBe('key_redeemed')
    expect(await deployment.store.find(record)).toMatchObject({ familyRevoked: true })
  })

  it('is refused without any harm where its outcome has not been kept', async () => {
    for (const outcome of [undefined, Buffer.alloc(65_537)]) {
      const { ask, claim, record, deployment } = await issued()
      await (await claim()).settle(outcome && { outcome })
      expect(await reasonOf(() => ask())).toBe('key_redeemed')
      expect(await deployment.store.find(record)).toMatchObject({ familyRevoked: false })
    }
  })

  it('keeps an outcome of 65,536 bytes', async () => {
    const { ask, redeemed } = await issued()
    await redeemed({ outcome: Buffer.alloc(65_536, 'a') })
    expect(await ask()).toMatchObject({ kind: 'repetition' })
  })
})

describe('a repetition while the first attempt is still at work', () => {
  it('waits for its outcome', async () => {
    const { claim, ask, then, pauses } = await issued()
    const first = await claim()
    then.push(
      () => undefined,
      () => first.settle({ outcome: OUTCOME }),
    )
    expect(await ask()).toMatchObject({ kind: 'repetition' })
    expect(pauses).toEqual([40, 80])
  })

  it('goes on itself when the first was released', async () => {
    const { claim, ask, then } = await issued()
    const first = await claim()
    then.push(() => first.release())
    const second = await ask()
    expect(second).toMatchObject({ kind: 'reservation' })
    expect((second as Reservation).redemptionId).not.toBe(first.redemptionId)
  })

  it('waits two seconds and a little, and is asked to come again', async () => {
    const { claim, ask, pauses, record, deployment } = await issued()
    await claim()
    const refusal = await refusalOf(() => ask())
    expect(refusal).toMatchObject({
      reason: 'redemption_pending',
      code: 'temporarily_unavailable',
      disclosed: true,
      facts: { retryAfterSeconds: 2, jti: record.jti },
    })
    const waited = pauses.reduce((a, b) => a + b)
    expect([waited >= 2000, waited < 2500]).toEqual([true, true])
    expect(await deployment.store.find(record)).toMatchObject({ state: 'redeeming', familyRevoked: false })
  })

  it.each([
    ['another holder', OTHERS],
    ['nobody', undefined],
  ] as const)('is immediately refused to %s, without any harm', async (_, holds) => {
    const { claim, ask, pauses } = await issued()
    const first = await claim()
    expect(await reasonOf(() => ask({ ownerConfirmation: holds }))).toBe('key_redeeming')
    expect(pauses).toEqual([])
    await first.settle()
  })
})

describe('a redemption that was interrupted', () => {
  it('goes on after the lease for the same holder, under the same name', async () => {
    const { claim, ask, clock } = await issued({ redemptionLeaseSeconds: 20 })
    const first = await claim()
    clock.seconds += 19
    expect(await reasonOf(() => ask())).toBe('redemption_pending')
    clock.seconds += 1
    const second = await claim({ digest: 'the same' })
    expect(second.redemptionId).toBe(first.redemptionId)
    expect(await reasonOf(() => first.settle())).toBe('key_redeeming')
    expect(await first.release()).toBe(false)
    await second.settle({ outcome: OUTCOME })
    expect(await ask()).toMatchObject({ kind: 'repetition' })
  })

  it.each([
    ['another holder', OTHERS],
    ['a bearer', undefined],
  ] as const)('is never taken over by %s', async (_, holds) => {
    const { claim, ask, clock } = await issued()
    await claim()
    clock.seconds += 200
    expect(await reasonOf(() => ask({ ownerConfirmation: holds }))).toBe('key_redeeming')
  })

  it('leaves a bearer key dead', async () => {
    const { claim, ask, clock } = await issued()
    await claim({ ownerConfirmation: undefined })
    clock.seconds += 200
    expect(await reasonOf(() => ask({ ownerConfirmation: undefined }))).toBe('key_redeeming')
  })

  it('lets exactly one of many take it over', async () => {
    const { claim, ask, clock } = await issued()
    await claim()
    clock.seconds += 30
    const asked = await Promise.allSettled(Array.from({ length: 20 }, () => ask()))
    const claims = asked.filter((one) => one.status === 'fulfilled')
    expect(claims).toMatchObject([{ value: { kind: 'reservation' } }])
  })

  it('is refused when the key is revoked between the two looks at the store', async () => {
    const { claim, clock, deployment, record } = await issued()
    await claim()
    clock.seconds += 30
    const recall = async () => {
      await deployment.store.revoke(record)
      return undefined
    }
    const store = { ...deployment.store, recall }
    const { verified } = { verified: record as unknown as VerifiedKey }
    const asked = { action: 'route', ownerConfirmation: OURS, digest: 'the same' } as const
    expect(
      await reasonOf(() =>
        reserve(
          { ...deployment, store },
          { key: verified, state: 'issued', outcomeCipher: new OutcomeCipher('a.b.c'), proof: undefined },
          asked,
        ),
      ),
    ).toBe('key_revoked')
  })
})

describe('a store that does not answer', () => {
  const down = () => Promise.reject(new Error('down'))
  it.each(['redeem', 'recall'] as const)('to %s refuses a repetition with 503', async (verb) => {
    const { ask } = await issued({
      store: storeBut({ redeem: async () => 'redeemed', recall: async () => undefined, [verb]: down }),
    })
    expect(await reasonOf(() => ask())).toBe('store_unavailable')
  })
})
