import type { Page } from 'playwright-core'
import { RULES } from '../../lib/monitoring/rules/rules.js'
import { OperatorPages } from '../support/operator-page.js'

const pages = new OperatorPages()

interface Outcome {
  readonly effects: readonly { readonly words: string; readonly isDone: boolean }[]
  readonly next: readonly [string, string]
  readonly cutOff: number
}

interface Situation {
  readonly rule: keyof typeof RULES
  /** The codes of the events, all of one key. */
  readonly codes: readonly string[]
  /** What the replays of these events have done to the client or the binding of the key. */
  readonly fate?: string
  readonly count?: number
  readonly actions?: readonly string[]
  /** Further members of the events in this process, the latest first. */
  readonly events?: readonly Record<string, unknown>[]
}

const AT = 1_800_000_000

/** What the page says about a finding, in one line each: `+` has a tick. */
async function read(situation: Situation): Promise<string[]> {
  const outcome = await outcomeOn(await pages.open(), situation)
  return [
    ...outcome.effects.map(({ words, isDone }) => `${isDone ? '+' : '-'} ${words}`),
    outcome.next[0],
    ...(outcome.cutOff > 0 ? ['needs a new key'] : []),
  ]
}

function outcomeOn(
  page: Page,
  { rule, codes, fate, count, actions = [], events = [] }: Situation,
): Promise<Outcome> {
  const stamp = new Date(AT * 1_000).toISOString()
  const finding = {
    ...{ id: 'f', rule, severity: RULES[rule].severity, evidence: 'bound', subject: 'client:fleet' },
    samples: codes.map(
      (code) => `${stamp} ${code} key k1${fate ? ` family ${fate}` : ''} from 192.0.2.1 for device:b6`,
    ),
    ...{ count: count ?? codes.length, firstAt: AT, lastAt: AT, actions },
  }
  const log = {
    events: events.map((event, i) => ({
      ...{ id: `p.${i}`, at: AT + 0.5, clientId: 'fleet', keyId: 'k1' },
      ...{ code: event.type, ...event },
    })),
  }
  return page.evaluate<Outcome>(
    `(async () => {
      const { outcomeOf } = await import(new URL('outcomes.mjs', document.querySelector('script[type]').src))
      return outcomeOf(${JSON.stringify(finding)}, { locks: [], log: ${JSON.stringify(log)}, now: ${AT} })
    })()`,
  )
}

describe('a replay', () => {
  const replay = (familyRevoked: boolean, fate?: string) => ({
    type: 'key.replayed',
    code: familyRevoked ? 'key.replayed:family_revoked' : 'key.replayed:nothing_revoked',
    ...(fate !== undefined && { family: { clientId: 'device-1', fate } }),
  })
  const rule = 'replayed_key'

  it.each([
    ['this', { events: [replay(true, 'revoked')] }],
    ['another', { fate: 'revoked' }],
    ['another, for the second time', { fate: 'gone' }],
  ])('is over if everything of the key is revoked by %s process', async (_, known) => {
    expect(await read({ rule, codes: ['key.replayed:family_revoked'], ...known })).toEqual([
      '+ refused the request',
      '+ revoked everything that the key had given',
      'today',
      'needs a new key',
    ])
  })

  it('of a key that a route redeemed leaves the work to the app', async () => {
    const redeemed = { type: 'key.redeemed', at: AT - 5, action: 'route', subject: 'device:b6' }
    const situation = {
      rule,
      codes: ['key.replayed:family_revoked'],
      events: [replay(true), redeemed],
    } as const
    expect(await read(situation)).toEqual([
      '+ refused the request',
      '- did not undo what your route did with the key',
      'now',
    ])
    const [, step] = (await outcomeOn(await pages.open(), situation)).next
    expect(step).toBe('undo what your route did with key k1 for device:b6, unless your app has done so')
  })

  it.each([
    ['this', { events: [{ ...replay(true), action: 'route' }] }],
    ['another', { fate: 'route' }],
  ])(
    'of a key that only a route can have redeemed leaves it to the app, as %s process knows',
    async (_, known) => {
      expect(await read({ rule, codes: ['key.replayed:family_revoked'], ...known })).toEqual([
        '+ refused the request',
        '- did not undo what your route did with the key',
        'now',
      ])
    },
  )

  it.each([
    ['this', { events: [replay(true, 'flagged')] }],
    ['another', { fate: 'flagged' }],
  ])('is urgent while policy keeps the binding of the key, as %s process has seen', async (_, known) => {
    const situation = { rule, codes: ['key.replayed:family_revoked'], ...known } as const
    expect(await read(situation)).toEqual([
      '+ refused the request',
      '+ revoked the access tokens of the key',
      '- kept the client or the binding that the key gave, because your policy says so',
      'now',
      'needs a new key',
    ])
    const [, step] = (await outcomeOn(await pages.open(), situation)).next
    expect(step).toBe('revoke everything that key k1 for device:b6 gave, because a part of it may still work')
  })

  it('is urgent while the server cannot reach what the key gave', async () => {
    const codes = ['key.replayed:nothing_revoked']
    expect(await read({ rule, codes, events: [replay(false, 'unreached')] })).toEqual([
      '+ refused the request',
      '- could not reach everything that the key had given',
      'now',
    ])
  })

  it('is over once an operator has revoked the rest', async () => {
    const codes = ['key.replayed:nothing_revoked']
    const revoked = { type: 'family.revoked', at: AT + 60, family: { clientId: 'device-1', fate: 'revoked' } }
    const events = [revoked, replay(false, 'flagged')]
    const [, words, urgency] = await read({ rule, codes, fate: 'flagged', events })
    expect([words, urgency]).toEqual(['+ revoked everything that the key had given', 'today'])
  })

  it('of an access token is over, and may be that of a route if another process has redeemed the key', async () => {
    const situation = { rule, codes: ['key.replayed:family_revoked'] } as const
    expect(
      await read({ ...situation, events: [{ type: 'key.redeemed', at: AT - 5, action: 'token' }] }),
    ).toEqual([
      '+ refused the request',
      '+ revoked everything that the key had given',
      'today',
      'needs a new key',
    ])
    expect(await read(situation)).toEqual([
      '+ refused the request',
      '+ revoked any access token of the key',
      'today',
    ])
    const [, step] = (await outcomeOn(await pages.open(), situation)).next
    expect(step).toContain('. If your route redeemed key k1 for device:b6, undo what the route did')
  })

  it('that this process knows only in part asks for the rest in the log', async () => {
    const situation = { rule, codes: ['key.replayed:family_revoked'], fate: 'revoked', count: 9 } as const
    const [urgency, step] = (await outcomeOn(await pages.open(), situation)).next
    expect([urgency, step]).toEqual([
      'today',
      expect.stringMatching(
        /\. Search your log for key\.replayed, because this page knows only 1 of 9 times$/,
      ),
    ])
  })
})

describe('a key or token that came over plain HTTP', () => {
  const rule = 'cleartext_exposure'

  it('is revoked, and the second time nothing is left to revoke', async () => {
    expect(await read({ rule, codes: ['key.exposed:revoked', 'key.exposed:kept'] })).toEqual([
      '+ refused the request',
      '+ revoked the provisioning key',
      'today',
      'needs a new key',
    ])
  })

  it('is kept if it is bound', async () => {
    const events = [
      { type: 'key.exposed', code: 'key.exposed:kept' },
      { type: 'key.issued', at: AT - 5, confirmation: { jkt: 'x' } },
    ]
    expect(await read({ rule, codes: ['key.exposed:kept'], events })).toEqual([
      '+ refused the request',
      '- did not revoke the provisioning key: without the private key, a copy is worthless',
      'today',
    ])
  })

  it('gets a tick for the known events only', async () => {
    const [, words] = await read({ rule, codes: ['token.exposed:revoked'], count: 7 })
    expect(words).toBe('+ revoked the access token of the last 1 of 7 times')
  })
})

describe('another finding', () => {
  it('about a forged token says that the signing key is still in use', async () => {
    expect(await read({ rule: 'forged_key', codes: ['request.refused:key_unknown'] })).toEqual([
      '+ refused the token',
      '- did not replace the signing key: it stays in use until you replace it',
      'now',
    ])
  })

  it('about a stolen signing key comes before a later one that can wait', async () => {
    const page = await pages.open()
    const order = await page.evaluate(`(async () => {
      const { byUrgency } = await import(new URL('outcomes.mjs', document.querySelector('script[type]').src))
      const finding = (rule, severity, lastAt) =>
        ({ id: rule, rule, severity, lastAt, firstAt: 1, count: 1, subject: 'client:fleet', samples: [], actions: ['revokeKey'] })
      const findings = [finding('dead_key', 'warning', 9), finding('many_networks', 'high', 8), finding('forged_key', 'high', 1)]
      return byUrgency(findings, { locks: [], log: { events: [] }, now: 9 }).map(({ rule }) => rule)
    })()`)
    expect(order).toEqual(['forged_key', 'many_networks', 'dead_key'])
  })

  it('about many networks is urgent until the key is revoked', async () => {
    const situation = { rule: 'many_networks', codes: ['key.moved'] } as const
    expect(await read(situation)).toEqual(['- did not revoke the key', 'now'])
    expect(await read({ ...situation, actions: ['revokeKey'] })).toEqual([
      '+ revoked the provisioning key',
      'today',
      'needs a new key',
    ])
  })

  it('about a new network needs nothing once the key is revoked', async () => {
    const situation = { rule: 'network_changed', codes: ['key.moved'] } as const
    const kept = '- did not refuse the key for this, because this alone may be harmless'
    expect(await read(situation)).toEqual([kept, 'today'])
    expect(await read({ ...situation, events: [{ type: 'key.revoked' }] })).toEqual([kept, 'none'])
  })

  it('about a bound key asks to revoke no key that was redeemed', async () => {
    const situation = { rule: 'wrong_proof_key', codes: ['request.refused:possession_unproven'] } as const
    const page = await pages.open()
    const step = async (events: Situation['events'] = []) =>
      (await outcomeOn(page, { ...situation, events })).next[1]
    expect(await step()).toContain('revoke the key')
    expect(await step([{ type: 'key.redeemed' }])).not.toContain('revoke the key')
  })

  it('about forged tokens asks for a signing key that was removed too early', async () => {
    const rule = 'algorithm_tricks'
    expect(await read({ rule, codes: ['request.refused:signature_wrong'] })).toEqual([
      '+ refused all of them',
      'none',
    ])
    const codes = ['request.refused:signing_key_unknown', 'request.refused:signing_key_retired']
    expect(await read({ rule, codes })).toEqual(['+ refused all of them', 'today'])
  })
})
