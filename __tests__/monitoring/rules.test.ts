import { REASONS } from '../../lib/base/errors.js'
import type { RuleId } from '../../lib/monitoring/rules/rule.js'
import { RULES } from '../../lib/monitoring/rules/rules.js'
import { type EventType, SEVERITY } from '../../lib/ports/events.js'
import { detectorOf, eventAt } from './events.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const KEY = { clientId: 'fleet', subject: 'fleet', keyId: 'a-key' }

type Story = readonly (readonly [at: number, type: EventType, details: object])[]

function repeat(count: number, one: (i: number) => Story[number]): Story {
  return Array.from({ length: count }, (_, i) => one(i))
}

function refusals(count: number, reason: string, details: object = KEY): Story {
  return repeat(count, (i) => [i * 1_000, 'request.refused', { reason, ...details }])
}

/** Whether a rule opens a finding about the last event of a story, and about no earlier one. */
function findsOnlyAtTheEnd(rule: RuleId, story: Story): boolean[] {
  const detector = detectorOf(rule)
  const found = story.map(([at, type, details]) => detector.inspect(eventAt(at, type, details)).length > 0)
  return [found.slice(0, -1).includes(true), found.at(-1) ?? false]
}

/** Usual life: one key an hour from one network, redeemed after two seconds. */
function usual(hours: number, keys = 1): Story {
  return repeat(hours * keys, (i) => {
    const at = Math.floor(i / keys) * HOUR + (i % keys) * 1_000
    return [at, 'key.issued', { ...KEY, keyId: `key-${i}`, address: '192.0.2.1' }]
  })
}

function redeemed(at: number, i: number, seconds = 2): Story[number] {
  const issuedAt = at / 1_000 + 1_700_000_000
  const details = {
    ...KEY,
    keyId: `key-${i}`,
    issuedAt: issuedAt - seconds,
    expiresAt: issuedAt - seconds + 300,
  }
  return [at, 'key.redeemed', details]
}

/** For each rule: a story that ends with what it finds, and stories in which it finds nothing. */
const STORIES: Record<RuleId, { readonly found: Story; readonly harmless: readonly Story[] }> = {
  replayed_key: {
    found: [[0, 'key.replayed', KEY]],
    harmless: [[[0, 'redemption.repeated', KEY]], [[0, 'key.redeemed', KEY]]],
  },
  dead_key: {
    found: refusals(3, 'key_expired', { ...KEY, expiresAt: 1_699_999_000 }),
    harmless: [
      refusals(20, 'key_expired', { ...KEY, expiresAt: 1_699_999_990 }),
      refusals(2, 'key_revoked'),
      refusals(20, 'key_expired', { expiresAt: 1 }),
    ],
  },
  cleartext_exposure: { found: [[0, 'key.exposed', KEY]], harmless: [refusals(50, 'cleartext', {})] },
  forged_key: {
    // The store has no record of a key that a thief of the signing key has made.
    found: refusals(1, 'key_unknown'),
    harmless: [refusals(50, 'signature_wrong', {}), refusals(50, 'key_expired')],
  },
  wrong_proof_key: {
    found: refusals(2, 'possession_unproven'),
    harmless: [refusals(1, 'possession_unproven'), refusals(50, 'dpop_stale')],
  },
  wrong_place: {
    found: refusals(3, 'audience_wrong'),
    harmless: [refusals(2, 'environment_wrong'), refusals(50, 'issuer_wrong')],
  },
  scope_escalation: {
    found: refusals(10, 'scope_not_permitted'),
    harmless: [refusals(9, 'subject_not_permitted'), refusals(50, 'scope_malformed')],
  },
  network_changed: {
    found: [[0, 'key.moved', { ...KEY, agentChanged: true, networkCount: 2 }]],
    harmless: [
      [[0, 'key.moved', { ...KEY, agentChanged: false, networkCount: 2 }]],
      [[0, 'key.moved', { ...KEY, subject: 'device:7', agentChanged: true, networkCount: 2 }]],
    ],
  },
  many_networks: {
    found: [
      [0, 'key.moved', { ...KEY, agentChanged: false, networkCount: 2 }],
      [1, 'key.moved', { ...KEY, agentChanged: false, networkCount: 3 }],
    ],
    harmless: [[[0, 'key.moved', { ...KEY, agentChanged: true, networkCount: 2 }]]],
  },
  spoofed_proxy: {
    found: refusals(5, 'cleartext', { isForwardedByStranger: true }),
    harmless: [refusals(50, 'cleartext', {}), refusals(4, 'certificate_header_malformed', {})],
  },
  algorithm_tricks: {
    found: refusals(10, 'key_algorithm_refused', {}),
    harmless: [refusals(9, 'signature_wrong', {}), refusals(50, 'key_malformed', {})],
  },
  client_guessing: {
    found: refusals(10, 'client_secret_wrong'),
    harmless: [refusals(9, 'client_secret_wrong'), refusals(50, 'client_unknown', {})],
  },
  source_guessing: {
    found: refusals(100, 'client_unknown', {}),
    harmless: [refusals(99, 'client_secret_wrong'), refusals(200, 'client_unknown', { address: undefined })],
  },
  registration_burst: {
    found: repeat(30, (i) => [i * 1_000, 'client.registered', KEY]),
    harmless: [repeat(200, (i) => [i * 30_000, 'client.registered', KEY])],
  },
  misused_registration_token: {
    found: [[0, 'registration.misused', { clientId: 'device:7' }]],
    harmless: [refusals(50, 'registration_token_expired')],
  },
  canary: {
    found: [
      [0, 'key.issued', KEY],
      [1, 'request.refused', { reason: 'client_secret_wrong', clientId: 'canary' }],
    ],
    harmless: [[[0, 'key.issued', KEY]], refusals(9, 'client_unknown', {})],
  },
  leaked_key: { found: [[0, 'key.leaked', KEY]], harmless: [refusals(50, 'signature_wrong', {})] },
  issuance_burst: {
    found: [
      ...usual(60, 2),
      ...repeat(20, (i) => [60 * HOUR + i, 'key.issued', { ...KEY, address: '198.51.100.9' }] as const),
    ],
    harmless: [
      // A burst from the usual network, and a burst of a client without a history.
      [
        ...usual(60, 2),
        ...repeat(200, (i) => [60 * HOUR + i, 'key.issued', { ...KEY, address: '192.0.2.9' }] as const),
      ],
      repeat(200, (i) => [i, 'key.issued', { ...KEY, address: `198.51.${i}.9` }]),
      // Autoscaling: a third of a roll-out comes from new networks.
      [
        ...usual(60, 2),
        ...repeat(90, (i) => {
          const address = i % 3 === 0 ? `198.51.${i}.9` : '192.0.2.9'
          return [60 * HOUR + i, 'key.issued', { ...KEY, address }] as const
        }),
      ],
    ],
  },
  stockpiling: {
    found: [
      ...usual(6).flatMap(([at, type, details], i): Story => [[at, type, details], redeemed(at + 2_000, i)]),
      ...repeat(50, (i) => [7 * HOUR + i, 'key.issued', { ...KEY, keyId: `more-${i}` }] as const),
    ],
    harmless: [
      // A client that never redeems much, and one that redeems the new keys too.
      [...usual(6), ...repeat(200, (i) => [7 * HOUR + i, 'key.issued', KEY] as const)],
      [
        ...usual(6).flatMap(
          ([at, type, details], i): Story => [[at, type, details], redeemed(at + 2_000, i)],
        ),
        ...repeat(100, (i) =>
          i % 2 === 0 ? ([7 * HOUR + i, 'key.issued', KEY] as const) : redeemed(7 * HOUR + i, i),
        ),
      ],
    ],
  },
  fast_redemption: {
    found: [
      ...usual(20).flatMap(([at, type, details], i): Story => [[at, type, details], redeemed(at + 2_000, i)]),
      ...repeat(6, (i) => {
        const at = 21 * HOUR + Math.floor(i / 2) * 1_000
        const id = 1_000 + Math.floor(i / 2)
        return i % 2 === 0
          ? ([at, 'key.issued', { ...KEY, keyId: `key-${id}` }] as const)
          : redeemed(at + 5, id)
      }),
    ],
    harmless: [
      usual(40).flatMap(([at, type, details], i): Story => [[at, type, details], redeemed(at + 5, i)]),
      usual(40).flatMap(([at, type, details], i): Story => [[at, type, details], redeemed(at + 2_000, i)]),
    ],
  },
  late_redemption: {
    found: repeat(10, (i) => redeemed(i * HOUR, i, 290)),
    harmless: [
      repeat(50, (i) => redeemed(i * HOUR, i, i % 10 === 9 ? 10 : 290)),
      repeat(50, (i) => redeemed(i * HOUR, i)),
    ],
  },
  skewed_clocks: {
    found: repeat(5, (i) => [i, 'request.refused', { reason: 'dpop_stale', address: `192.0.2.${i}` }]),
    harmless: [
      refusals(500, 'dpop_stale'),
      repeat(500, (i) => [i * 200_000, 'request.refused', { reason: 'dpop_stale', address: `192.0.2.${i}` }]),
      // One machine can use all addresses of its network.
      repeat(500, (i) => [i, 'request.refused', { reason: 'dpop_stale', address: `2001:db8::${i + 1}` }]),
    ],
  },
  silent_client: {
    found: [...usual(60), [90 * HOUR, 'key.issued', { ...KEY, clientId: 'other' }]],
    harmless: [
      [...usual(60), [62 * HOUR, 'key.issued', { ...KEY, clientId: 'other' }]],
      [...usual(3), [9 * DAY, 'key.issued', { ...KEY, clientId: 'other' }]],
      // The only client, which has just come back.
      [...usual(60), [90 * HOUR, 'key.issued', KEY], [91 * HOUR, 'key.issued', KEY]],
      // A client with office hours, and its first weekend.
      [
        ...[0, 1, 2].flatMap((day) =>
          usual(10, 4).map(([at, ...rest]): Story[number] => [day * DAY + at, ...rest]),
        ),
        [5 * DAY, 'key.issued', { ...KEY, clientId: 'other' }],
      ],
    ],
  },
}

describe.each(Object.entries(STORIES))('the rule %s', (id, { found, harmless }) => {
  it('finds its attack, at the event that completes it', () => {
    expect(findsOnlyAtTheEnd(id as RuleId, found)).toEqual([false, true])
  })

  it.each(harmless.map((story, i) => [i + 1, story] as const))(
    'finds nothing in harmless story %i',
    (_, story) => {
      const detector = detectorOf(id as RuleId)
      const detections = story.flatMap(([at, type, details]) => detector.inspect(eventAt(at, type, details)))
      expect(detections).toEqual([])
    },
  )

  it('says what it watches, what is harmless, and what to do', () => {
    const rule = RULES[id as RuleId]
    expect(rule.id).toBe(id)
    for (const type of rule.signal.events) expect(Object.keys(SEVERITY)).toContain(type)
    for (const reason of rule.signal.reasons ?? []) expect(Object.keys(REASONS)).toContain(reason)
    for (const technique of rule.techniques) expect(technique).toMatch(/^T\d{4}(\.\d{3})?$/)
    expect(rule.runbook.length).toBeGreaterThanOrEqual(2)
    for (const sentence of [rule.falsePositives, ...rule.runbook]) expect(sentence).toMatch(/^[A-Z].*\.$/s)
    expect(rule.signal.condition === undefined).toBe(rule.where === undefined && rule.watch === undefined)
  })

  it('harms a client only with evidence that nobody else can make', () => {
    const rule = RULES[id as RuleId]
    if (rule.evidence === 'unbound' || rule.kind === 'statistical') expect(rule.responses).toEqual(['report'])
    else expect(rule.responses.length).toBeGreaterThan(0)
  })
})
