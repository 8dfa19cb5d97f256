import { check } from '../../faults/model/check'
import type { Call, Effect, History, Loss, Verb } from '../../faults/model/history'

const STORE_TIMEOUT = 2_000

/** A history of the key `k`, which was issued in the first ten milliseconds. */
function story(
  calls: readonly Call[],
  effects: readonly Effect[] = [],
  more: Partial<History> = {},
): History {
  const issued = call('issue', 'i', 0, 10, 200)
  return {
    ...{ calls: [issued, ...calls], effects, bound: new Set<string>(), losses: [], outages: [] },
    ...{ storeTimeoutMilliseconds: STORE_TIMEOUT },
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

/** The effects of an action. */
function ran(id: string, began: number, end?: number, kind: 'done' | 'failed' = 'done'): Effect[] {
  const common = { call: id, keyId: 'k', worker: 0 }
  const ended: Effect[] = end === undefined ? [] : [{ ...common, kind, at: end }]
  return [{ ...common, kind: 'began', at: began }, ...ended]
}

/** A process is killed during a redemption, and the client tries again later. */
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
  return story(calls, effects, { bound: new Set(['k']), leaseMilliseconds: 1_000, ...differences })
}

const rulesOf = (history: History) => [...new Set(check(history).map(({ rule }) => rule))].sort()

describe('a history that follows the model', () => {
  it.each<[string, History]>([
    ['a key that is redeemed once', story([call('redeem', 'a', 20, 40, 201)], ran('a', 25, 30))],
    [
      'a key that other calls try to redeem at the same time and later',
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
      'a key that is released by a failed action, and then redeemed',
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
      'a revocation that overlaps a redemption and is answered later',
      story([call('redeem', 'a', 20, 60, 201), call('revoke', 'r', 30, 90, 200)], ran('a', 25, 50)),
    ],
    [
      'a redemption that happened without an answer',
      story([call('redeem', 'a', 20, 40), refused('b', 50, 60, 'key_redeemed')], ran('a', 25, 30)),
    ],
    [
      'a redemption that got no answer and did not happen',
      story([call('redeem', 'a', 20, 40), call('redeem', 'b', 50, 60, 201)], ran('b', 52, 55)),
    ],
    [
      'a revocation that happened long after it got a 503',
      story([
        call('revoke', 'r', 20, 40, 503),
        call('introspect', 'n', 50, 60, 200, { active: true }),
        refused('a', 70, 80, 'key_revoked'),
      ]),
    ],
    [
      'a process that was killed during a redemption',
      story([call('redeem', 'a', 20, 40), refused('b', 50, 60, 'key_redeeming')], ran('a', 25)),
    ],
    [
      'a key that the store forgot',
      story([refused('a', 50, 60, 'key_unknown')], [], { losses: [loss('forgot', 20, 30)] }),
    ],
    [
      'a key that the store forgot during a redemption',
      story([refused('a', 15, 60, 'key_unknown')], ran('a', 18, 40), { losses: [loss('forgot', 20, 30)] }),
    ],
    [
      'an issued key that a failover lost',
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
      'a bound key whose owner gets the same answer again',
      story(
        [call('redeem', 'a', 20, 40, 201), call('redeem', 'b', 50, 60, 201, { outcome: 'a' })],
        ran('a', 25, 30),
        { bound: new Set(['k']) },
      ),
    ],
    [
      'a key that was not released, because the store did not answer',
      story(
        [call('redeem', 'a', 20, 40, 422), refused('b', 50, 60, 'key_redeeming')],
        ran('a', 25, 30, 'failed'),
        { outages: [{ begin: 35, end: 70 }] },
      ),
    ],
    ['a bound key whose owner tries again after the lease of a killed process', resumed(1_100)],
    [
      '1,000 concurrent redemptions',
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
  ])('is accepted: %s', (_name, history) => {
    expect(check(history)).toEqual([])
  })
})

function loss(kind: Loss['kind'], begin: number, end: number): Loss {
  return { kind, begin, end }
}

describe('a history that violates the model', () => {
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
      'two redemptions at the same time',
      ['executed twice', 'redeemed twice'],
      story(
        [call('redeem', 'a', 20, 60, 201), call('redeem', 'b', 20, 60, 201)],
        [...ran('a', 25, 30), ...ran('b', 26, 55)],
      ),
    ],
    [
      'an action that ran twice, of which one call got no answer',
      ['executed twice'],
      story(
        [call('redeem', 'a', 20, 40), call('redeem', 'b', 50, 60, 201)],
        [...ran('a', 25, 30), ...ran('b', 52, 55)],
      ),
    ],
    [
      'an action that began before the previous one had failed',
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
      'a bound key with two different results',
      ['executed twice', 'redeemed twice'],
      story(
        [call('redeem', 'a', 20, 40, 201), call('redeem', 'b', 50, 60, 201)],
        [...ran('a', 25, 30), ...ran('b', 52, 55)],
        { bound: new Set(['k']) },
      ),
    ],
    ['a success without an effect', ['redeemed but not executed'], story([call('redeem', 'a', 20, 40, 201)])],
    [
      'a redemption that began after a revocation was answered',
      ['revoked and redeemed'],
      story([call('revoke', 'r', 20, 30, 200), call('redeem', 'a', 31, 40, 201)], ran('a', 33, 35)),
    ],
    [
      'a redemption that began before a revocation and settled after its answer',
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
      'a key that is redeemed although no call redeemed it',
      ['lost'],
      story([refused('a', 20, 30, 'key_redeemed')]),
    ],
    [
      'a key that is inactive although no call revoked it',
      ['lost'],
      story([call('introspect', 'n', 20, 30, 200, { active: false })]),
    ],
    [
      'a key that was not released although its action failed',
      ['lost'],
      story(
        [call('redeem', 'a', 20, 40, 422), refused('b', 50, 60, 'key_redeeming')],
        ran('a', 25, 30, 'failed'),
      ),
    ],
    [
      'a redemption that the store lost',
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
      'a key that is valid again after the store forgot it',
      ['lost'],
      story([refused('a', 35, 40, 'key_unknown'), call('redeem', 'b', 50, 60, 201)], ran('b', 52, 55), {
        losses: [loss('forgot', 20, 30)],
      }),
    ],
    [
      'a key that is valid after the store forgot everything',
      ['contradiction'],
      story([call('redeem', 'b', 50, 60, 201)], ran('b', 52, 55), { losses: [loss('forgot', 20, 30)] }),
    ],
    [
      'a confirmed redemption that a failover lost',
      ['executed twice', 'redeemed twice'],
      story(
        [call('redeem', 'a', 12, 20, 201), call('redeem', 'b', 50, 60, 201)],
        [...ran('a', 15, 18), ...ran('b', 52, 55)],
        { losses: [loss('failed over, replicated', 30, 40)] },
      ),
    ],
    [
      'a confirmed revocation that a failover lost',
      ['revoked and redeemed'],
      story([call('revoke', 'r', 12, 20, 200), call('redeem', 'b', 50, 60, 201)], ran('b', 52, 55), {
        losses: [loss('failed over, replicated', 30, 40)],
      }),
    ],
    ['a bound key that is reserved again before the lease is over', ['executed twice'], resumed(900)],
    [
      'a bearer key that is reserved again after a lease',
      ['executed twice'],
      resumed(1_100, { bound: new Set() }),
    ],
    ['a redemption that is resumed with another id', ['executed twice'], resumed(1_100, {}, 's')],
    ['an undocumented server error', ['unexpected answer'], story([call('redeem', 'a', 20, 30, 500)])],
    [
      'a 503 without a valid Retry-After',
      ['unexpected answer'],
      story([{ ...call('redeem', 'a', 20, 30, 503), retryAfter: 'soon' }]),
    ],
    [
      'a refusal that the state of the key does not explain',
      ['unexpected answer'],
      story([refused('a', 20, 30, 'signature_wrong')]),
    ],
  ])('is caught: %s', (_name, rules, history) => {
    expect(rulesOf(history)).toEqual(rules)
  })

  it('is reported with all calls of the key', () => {
    const history = story(
      [call('revoke', 'r', 20, 30, 200), call('redeem', 'a', 31, 40, 201)],
      ran('a', 33, 35),
    )
    expect(check(history)).toEqual([
      {
        rule: 'revoked and redeemed',
        keyId: 'k',
        evidence: [
          'redeem a at worker 0: 201 (31.0 to 40.0 ms), its reservation is impossible, because the key is revoked',
          'issue i at worker 0: 200 (0.0 to 10.0 ms)',
          'revoke r at worker 0: 200 (20.0 to 30.0 ms)',
          'redeem a at worker 0: 201 (31.0 to 40.0 ms)',
        ],
      },
    ])
  })

  it('is caught in time if 2 of 1,000 redemptions succeeded', () => {
    const losers = Array.from({ length: 998 }, (_, i) => refused(`l${i}`, 20, 100, 'key_redeeming'))
    const winners = ['a', 'b'].map((id) => call('redeem', id, 20, 100, 201))
    const effects = [...ran('a', 30, 40), ...ran('b', 31, 41)]
    expect(rulesOf(story([...losers, ...winners], effects))).toEqual(['executed twice', 'redeemed twice'])
  })
})
