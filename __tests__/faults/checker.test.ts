import { check } from '../../faults/model/check'
import type { Call, Effect, History, Loss, Verb } from '../../faults/model/history'

const PATIENCE = 2_000

/** A history of one key, `k`, that was issued in the first ten milliseconds. */
function story(
  calls: readonly Call[],
  effects: readonly Effect[] = [],
  more: Partial<History> = {},
): History {
  const issued = call('issue', 'i', 0, 10, 200)
  return {
    ...{ calls: [issued, ...calls], effects, bound: new Set<string>(), losses: [], troubles: [] },
    ...{ patience: PATIENCE },
    ...more,
  }
}

function call(
  verb: Verb,
  id: string,
  begin: number,
  end: number,
  status?: number,
  more: Partial<Call> = {},
): Call {
  const answered = status === undefined ? {} : { status }
  const refused = status === 503 ? { code: 'temporarily_unavailable', retryAfter: '5' } : {}
  const outcome = verb === 'redeem' && status === 201 ? { outcome: id } : {}
  return { id, verb, worker: 0, keyId: 'k', begin, end, ...answered, ...refused, ...outcome, ...more }
}

const refused = (id: string, begin: number, end: number, reason: string) =>
  call('redeem', id, begin, end, 401, { reason })

/** What an action leaves behind. */
function ran(id: string, began: number, end?: number, kind: 'done' | 'failed' = 'done'): Effect[] {
  const common = { call: id, keyId: 'k', worker: 0 }
  const ended: Effect[] = end === undefined ? [] : [{ ...common, kind, at: end }]
  return [{ ...common, kind: 'began', at: began }, ...ended]
}

/** A process is killed in the middle, and whoever holds the key tries again later. */
function resumed(at: number, differences: Partial<History> = {}, redemption = 'r'): History {
  const calls = [
    call('redeem', 'a', 20, 40),
    call('redeem', 'b', 50, 60, 409, { reason: 'redemption_pending' }),
    call('redeem', 'c', at, at + 20, 201),
  ]
  const effects = [
    ...ran('a', 25).map((effect) => ({ ...effect, redemption: 'r' })),
    ...ran('c', at + 5, at + 10).map((effect) => ({ ...effect, redemption })),
  ]
  return story(calls, effects, { bound: new Set(['k']), lease: 1_000, ...differences })
}

const rulesOf = (history: History) => [...new Set(check(history).map(({ rule }) => rule))].sort()

describe('a history that is as it should be', () => {
  it.each<[string, History]>([
    ['a key that is redeemed once', story([call('redeem', 'a', 20, 40, 201)], ran('a', 25, 30))],
    [
      'a key that others wanted at the same time, and later',
      story(
        [
          call('redeem', 'a', 20, 40, 201),
          refused('b', 21, 39, 'key_redeeming'),
          refused('c', 39, 41, 'key_redeemed'),
          refused('d', 50, 60, 'key_redeemed'),
        ],
        ran('a', 25, 30),
      ),
    ],
    [
      'a key that is given back by an action that fails, and then redeemed',
      story(
        [call('redeem', 'a', 20, 40, 422), call('redeem', 'b', 30, 60, 201)],
        [...ran('a', 25, 30, 'failed'), ...ran('b', 45, 50)],
      ),
    ],
    [
      'a key that is revoked while it is redeemed',
      story([refused('a', 20, 60, 'key_revoked'), call('revoke', 'r', 30, 40, 200)], ran('a', 25, 50)),
    ],
    [
      'a key that is revoked as it is redeemed, and by an answer that came later than the redemption',
      story([call('redeem', 'a', 20, 60, 201), call('revoke', 'r', 30, 90, 200)], ran('a', 25, 50)),
    ],
    [
      'a redemption without an answer that came about',
      story([call('redeem', 'a', 20, 40), refused('b', 50, 60, 'key_redeemed')], ran('a', 25, 30)),
    ],
    [
      'a redemption without an answer that did not',
      story([call('redeem', 'a', 20, 40), call('redeem', 'b', 50, 60, 201)], ran('b', 52, 55)),
    ],
    [
      'a revocation that came about long after it got no answer',
      story([
        call('revoke', 'r', 20, 40, 503),
        call('introspect', 'n', 50, 60, 200, { active: true }),
        refused('a', 70, 80, 'key_revoked'),
      ]),
    ],
    [
      'a process that was killed while it redeemed',
      story([call('redeem', 'a', 20, 40), refused('b', 50, 60, 'key_redeeming')], ran('a', 25)),
    ],
    [
      'a key that a store has forgotten',
      story([refused('a', 50, 60, 'key_unknown')], [], { losses: [loss('forgot', 20, 30)] }),
    ],
    [
      'a key that was forgotten while it was redeemed',
      story([refused('a', 15, 60, 'key_unknown')], ran('a', 18, 40), { losses: [loss('forgot', 20, 30)] }),
    ],
    [
      'a record that a failover lost',
      story([refused('a', 50, 60, 'key_unknown')], [], {
        losses: [loss('failed over, replicated', 20, 30)],
      }),
    ],
    [
      'a token exchange',
      story(
        [
          call('exchange', 'a', 20, 40, 200, { outcome: 't' }),
          call('exchange', 'b', 41, 50, 400, { reason: 'key_redeemed' }),
        ],
        [{ call: 'a', keyId: 'k', kind: 'minted', at: 30, worker: 0, outcome: 't' }],
      ),
    ],
    [
      'a bound key whose holder gets the same answer again',
      story(
        [call('redeem', 'a', 20, 40, 201), call('redeem', 'b', 50, 60, 201, { outcome: 'a' })],
        ran('a', 25, 30),
        { bound: new Set(['k']) },
      ),
    ],
    [
      'a key that could not be given back, as the store did not answer',
      story(
        [call('redeem', 'a', 20, 40, 422), refused('b', 50, 60, 'key_redeeming')],
        ran('a', 25, 30, 'failed'),
        { troubles: [{ begin: 35, end: 70 }] },
      ),
    ],
    [
      'a bound key whose holder tries again when the lease of a process that was killed is over',
      resumed(1_100),
    ],
    [
      '1,000 redemptions of it at once',
      story(
        [
          ...Array.from({ length: 999 }, (_, i) =>
            refused(`l${i}`, 20 + (i % 7), 100 - (i % 7), i % 3 === 0 ? 'key_redeeming' : 'key_redeemed'),
          ),
          call('redeem', 'w', 22, 99, 201),
        ],
        ran('w', 40, 60),
      ),
    ],
  ])('is found to be so: %s', (_name, history) => {
    expect(check(history)).toEqual([])
  })
})

function loss(kind: Loss['kind'], begin: number, end: number): Loss {
  return { kind, begin, end }
}

describe('a history that cannot be', () => {
  it.each<[string, string[], History]>([
    [
      'two redemptions of one key',
      ['executed twice', 'redeemed twice'],
      story(
        [call('redeem', 'a', 20, 40, 201), call('redeem', 'b', 50, 60, 201)],
        [...ran('a', 25, 30), ...ran('b', 52, 55)],
      ),
    ],
    [
      'two redemptions at once',
      ['executed twice', 'redeemed twice'],
      story(
        [call('redeem', 'a', 20, 60, 201), call('redeem', 'b', 20, 60, 201)],
        [...ran('a', 25, 30), ...ran('b', 26, 55)],
      ),
    ],
    [
      'an action that ran twice though only one was told so',
      ['executed twice'],
      story(
        [call('redeem', 'a', 20, 40), call('redeem', 'b', 50, 60, 201)],
        [...ran('a', 25, 30), ...ran('b', 52, 55)],
      ),
    ],
    [
      'an action that began before the one before it had failed',
      ['executed twice'],
      story(
        [call('redeem', 'a', 20, 60, 422), call('redeem', 'b', 20, 60, 201)],
        [...ran('a', 25, 40, 'failed'), ...ran('b', 30, 55)],
      ),
    ],
    [
      'an action that ran again after its process was killed',
      ['executed twice'],
      story(
        [call('redeem', 'a', 20, 40), call('redeem', 'b', 50, 60, 201)],
        [...ran('a', 25), ...ran('b', 52, 55)],
      ),
    ],
    [
      'an exchange after a redemption',
      ['executed twice', 'redeemed twice'],
      story(
        [call('redeem', 'a', 20, 40, 201), call('exchange', 'b', 50, 60, 200, { outcome: 't' })],
        [...ran('a', 25, 30), { call: 'b', keyId: 'k', kind: 'minted', at: 55, worker: 0, outcome: 't' }],
      ),
    ],
    [
      'the same answer twice for a key that is not bound',
      ['redeemed twice'],
      story(
        [call('redeem', 'a', 20, 40, 201), call('redeem', 'b', 50, 60, 201, { outcome: 'a' })],
        ran('a', 25, 30),
      ),
    ],
    [
      'a bound key that brought forth two things',
      ['executed twice', 'redeemed twice'],
      story(
        [call('redeem', 'a', 20, 40, 201), call('redeem', 'b', 50, 60, 201)],
        [...ran('a', 25, 30), ...ran('b', 52, 55)],
        { bound: new Set(['k']) },
      ),
    ],
    [
      'a success for which nothing was done',
      ['redeemed without being done'],
      story([call('redeem', 'a', 20, 40, 201)]),
    ],
    [
      'a redemption that began after a revocation was answered',
      ['revoked and redeemed'],
      story([call('revoke', 'r', 20, 30, 200), call('redeem', 'a', 31, 40, 201)], ran('a', 33, 35)),
    ],
    [
      'a redemption that settled after a revocation was answered, though it began before',
      ['revoked and redeemed'],
      story([call('redeem', 'a', 15, 60, 201), call('revoke', 'r', 20, 30, 200)], ran('a', 18, 40)),
    ],
    [
      'a key that is revoked after it was redeemed',
      ['revoked and redeemed'],
      story([call('redeem', 'a', 20, 30, 201), refused('b', 40, 50, 'key_revoked')], ran('a', 22, 25)),
    ],
    ['a key that is lost', ['lost'], story([refused('a', 20, 30, 'key_unknown')])],
    [
      'a key that says it is redeemed though nobody did that',
      ['lost'],
      story([refused('a', 20, 30, 'key_redeemed')]),
    ],
    [
      'a key that nobody revoked and is inactive',
      ['lost'],
      story([call('introspect', 'n', 20, 30, 200, { active: false })]),
    ],
    [
      'a key that was not given back though its action failed',
      ['lost'],
      story(
        [call('redeem', 'a', 20, 40, 422), refused('b', 50, 60, 'key_redeeming')],
        ran('a', 25, 30, 'failed'),
      ),
    ],
    [
      'a redemption that is forgotten',
      ['lost'],
      story([call('redeem', 'a', 20, 30, 201), refused('b', 40, 50, 'key_unknown')], ran('a', 22, 25)),
    ],
    [
      'a redeemed key that is active',
      ['contradiction'],
      story(
        [call('redeem', 'a', 20, 30, 201), call('introspect', 'n', 40, 50, 200, { active: true })],
        ran('a', 22, 25),
      ),
    ],
    [
      'a key that is good again after the store forgot it',
      ['lost'],
      story([refused('a', 35, 40, 'key_unknown'), call('redeem', 'b', 50, 60, 201)], ran('b', 52, 55), {
        losses: [loss('forgot', 20, 30)],
      }),
    ],
    [
      'a key that outlived a store that forgot everything',
      ['contradiction'],
      story([call('redeem', 'b', 50, 60, 201)], ran('b', 52, 55), { losses: [loss('forgot', 20, 30)] }),
    ],
    [
      'a confirmed redemption that a failover undid',
      ['executed twice', 'redeemed twice'],
      story(
        [call('redeem', 'a', 12, 20, 201), call('redeem', 'b', 50, 60, 201)],
        [...ran('a', 15, 18), ...ran('b', 52, 55)],
        { losses: [loss('failed over, replicated', 30, 40)] },
      ),
    ],
    [
      'a confirmed revocation that a failover undid',
      ['revoked and redeemed'],
      story([call('revoke', 'r', 12, 20, 200), call('redeem', 'b', 50, 60, 201)], ran('b', 52, 55), {
        losses: [loss('failed over, replicated', 30, 40)],
      }),
    ],
    ['a bound key that is taken over before the lease is over', ['executed twice'], resumed(900)],
    [
      'a bearer key that is taken over after a lease',
      ['executed twice'],
      resumed(1_100, { bound: new Set() }),
    ],
    ['a redemption that is tried again under another name', ['executed twice'], resumed(1_100, {}, 's')],
    ['an undocumented server error', ['unexpected answer'], story([call('redeem', 'a', 20, 30, 500)])],
    [
      'a 503 that does not say when to come again',
      ['unexpected answer'],
      story([{ ...call('redeem', 'a', 20, 30, 503), retryAfter: 'soon' }]),
    ],
    [
      'a refusal that no state of the key accounts for',
      ['unexpected answer'],
      story([refused('a', 20, 30, 'signature_wrong')]),
    ],
  ])('is found out: %s', (_name, rules, history) => {
    expect(rulesOf(history)).toEqual(rules)
  })

  it('is told with all that was seen of the key', () => {
    const history = story(
      [call('revoke', 'r', 20, 30, 200), call('redeem', 'a', 31, 40, 201)],
      ran('a', 33, 35),
    )
    expect(check(history)).toEqual([
      {
        rule: 'revoked and redeemed',
        keyId: 'k',
        told: [
          'redeem a at worker 0: 201 (31.0 to 40.0 ms), its claim has no place: the key is revoked by then',
          'issue i at worker 0: 200 (0.0 to 10.0 ms)',
          'revoke r at worker 0: 200 (20.0 to 30.0 ms)',
          'redeem a at worker 0: 201 (31.0 to 40.0 ms)',
        ],
      },
    ])
  })

  it('is found out in the time that there is, when 1,000 redemptions had two winners', () => {
    const losers = Array.from({ length: 998 }, (_, i) => refused(`l${i}`, 20, 100, 'key_redeeming'))
    const winners = ['a', 'b'].map((id) => call('redeem', id, 20, 100, 201))
    const effects = [...ran('a', 30, 40), ...ran('b', 31, 41)]
    expect(rulesOf(story([...losers, ...winners], effects))).toEqual(['executed twice', 'redeemed twice'])
  })
})
