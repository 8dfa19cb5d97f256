import type { ProvisioningOptions } from '../../lib/options/provisioning-options.js'
import type { KeyState, ProvisioningStore } from '../../lib/ports/store.js'
import { type Action, type ActionResult, runAction } from '../../lib/redemption/run-action.js'
import { deployed, issueKey, reasonOf, storeBut, verifiedIn } from '../support/deployed.js'

interface Result {
  readonly made: string
}

async function issued(overrides: Partial<ProvisioningOptions> = {}) {
  const given = deployed(overrides)
  const { key, verified, record } = await issueKey(given)
  const { deployment } = given
  const log: string[] = []
  const did = (differences: Partial<ActionResult<Result>> = {}): ActionResult<Result> => ({
    result: { made: 'it' },
    emit: () => void log.push('tell'),
    undo: async () => void log.push('undo'),
    ...differences,
  })
  const ask = (differences: Partial<Action<string, Result>> = {}, state: KeyState = 'issued') =>
    runAction(deployment, verifiedIn(state, verified, key), {
      action: 'bind',
      ownerConfirmation: { jkt: 'ours' },
      digest: 'the same',
      validate: async () => {
        log.push('judge')
        return 'judged'
      },
      act: async (judged) => {
        log.push(`act ${judged}`)
        return did()
      },
      ...differences,
    })
  const stateOf = async () => (await deployment.store.find(record))?.state
  return { ...given, record, log, ask, did, stateOf }
}

const down = () => Promise.reject(new Error('down'))

describe('runAction', () => {
  it('judges, acts, settles, tells, and answers the result', async () => {
    const { ask, log, stateOf } = await issued()
    expect(await ask()).toEqual({ made: 'it' })
    expect([log, await stateOf()]).toEqual([['judge', 'act judged', 'tell'], 'redeemed'])
  })

  it('answers the same again without judging or acting', async () => {
    const { ask, log } = await issued()
    await ask()
    log.length = 0
    expect(await ask({}, 'redeemed')).toEqual({ made: 'it' })
    expect(log).toEqual([])
  })

  it('claims nothing where it judges that it cannot act', async () => {
    const { ask, events, stateOf } = await issued()
    await expect(ask({ validate: down })).rejects.toThrow('down')
    expect([await stateOf(), events.map(({ type }) => type)]).toEqual(['issued', ['key.issued']])
  })

  it('repeats the answer although the first run itself would now cause a refusal', async () => {
    const { ask } = await issued()
    await ask()
    expect(await ask({ validate: down })).toEqual({ made: 'it' })
  })

  it('checks after the reservation if it did not before, and releases the key after a refusal', async () => {
    const { ask, log, stateOf } = await issued()
    expect(await ask({}, 'redeeming')).toEqual({ made: 'it' })
    expect(log).toEqual(['judge', 'act judged', 'tell'])
    const other = await issued()
    await expect(other.ask({ validate: down }, 'redeeming')).rejects.toThrow('down')
    expect([await stateOf(), await other.stateOf()]).toEqual(['redeemed', 'issued'])
  })

  it('releases the key when the act fails, and fails with the same error', async () => {
    const { ask, log, stateOf } = await issued()
    await expect(ask({ act: down })).rejects.toThrow('down')
    expect([log, await stateOf()]).toEqual([['judge'], 'issued'])
  })

  it('keeps the entry until the result ends, with its owner', async () => {
    const { ask, did, deployment, record } = await issued()
    const retainUntil = record.retainUntil + 100
    await ask({ act: async () => did({ retainUntil, familyClientId: 'a-client' }) })
    const entry = await deployment.store.find(record)
    expect(entry).toMatchObject({ retainUntil, familyClientId: 'a-client' })
  })

  it.each([true, false])(
    'undoes the action when the reservation was lost, with or without owner: %s',
    async (holds) => {
      const { ask, did, log, deployment, record } = await issued()
      const act = async () => {
        await deployment.store.revoke(record)
        return did()
      }
      const reason = await reasonOf(() => ask({ act, ...(holds ? {} : { ownerConfirmation: undefined }) }))
      expect([reason, log]).toEqual(['key_revoked', ['judge', 'undo']])
    },
  )

  it('tells of what could not be taken back, and fails for the lost claim all the same', async () => {
    const { ask, did, log, deployment, record } = await issued()
    const act = async () => {
      await deployment.store.revoke(record)
      return did({ undo: down })
    }
    expect([await reasonOf(() => ask({ act })), log]).toEqual(['key_revoked', ['judge', 'tell']])
  })
})

describe('a settlement whose answer got lost', () => {
  type Settle = (
    store: ProvisioningStore,
    ...given: Parameters<ProvisioningStore['settle']>
  ) => Promise<never>
  const lostBefore: Settle = down
  const lostAfter: Settle = (store, ...given) => store.settle(...given).then(down)

  async function losing(settle: Settle, verbs: Partial<ProvisioningStore> = {}) {
    const inner = storeBut({})
    const store = {
      ...inner,
      settle: (...given: Parameters<typeof inner.settle>) => settle(inner, ...given),
      ...verbs,
    }
    return issued({ store })
  }

  const settled = () => new Promise((resolve) => setImmediate(resolve))

  it('that did not take place is undone, and its owner can continue immediately', async () => {
    let settlements = 0
    const once: Settle = (store, ...given) => {
      settlements += 1
      return settlements === 1 ? down() : (store.settle(...given) as Promise<never>)
    }
    const { ask, log, stateOf } = await losing(once)
    expect(await reasonOf(() => ask())).toBe('store_unavailable')
    await settled()
    expect([log, await stateOf()]).toEqual([['judge', 'act judged', 'undo'], 'redeeming'])
    expect(await ask({}, 'redeeming')).toEqual({ made: 'it' })
    expect(await stateOf()).toBe('redeemed')
  })

  it('that did not take place makes the key good again when there is nothing to be taken back', async () => {
    const { ask, did, stateOf } = await losing(lostBefore)
    const act = async () => {
      const { undo: _, ...done } = did()
      return done
    }
    expect(await reasonOf(() => ask({ act }))).toBe('store_unavailable')
    await settled()
    expect(await stateOf()).toBe('issued')
  })

  it('that took place stays, and its holder gets the outcome', async () => {
    const { ask, log, stateOf } = await losing(lostAfter)
    expect(await reasonOf(() => ask())).toBe('store_unavailable')
    await settled()
    expect([log, await stateOf()]).toEqual([['judge', 'act judged', 'tell'], 'redeemed'])
    expect(await ask({}, 'redeemed')).toEqual({ made: 'it' })
  })

  it('stays while the store answers nothing at all, since it may have taken place', async () => {
    const { ask, log } = await losing(lostBefore, { release: down })
    expect(await reasonOf(() => ask())).toBe('store_unavailable')
    await settled()
    expect(log).toEqual(['judge', 'act judged', 'tell'])
  })

  it('of a bearer is taken back, since nobody can ask for it again', async () => {
    const { ask, log } = await losing(lostAfter)
    expect(await reasonOf(() => ask({ ownerConfirmation: undefined }))).toBe('store_unavailable')
    expect(log).toEqual(['judge', 'act judged', 'undo'])
  })
})
