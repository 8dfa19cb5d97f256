import { RULES } from '../../lib/monitoring/rules/rules.js'
import type { ProvisioningEvent } from '../../lib/ports/events.js'
import { type EcsEvent, sigmaRules, toEcs } from '../../lib/siem/siem.js'
import { schemaFaults } from './ecs-faults'
import { CATEGORIES, KINDS, OUTCOMES } from './ecs-schema'
import { AT, REQUEST, sampleEvent, sampleFinding, TYPES } from './sample-events'

const leavesOf = (value: unknown): unknown[] =>
  typeof value === 'object' && value !== null ? Object.values(value).flatMap(leavesOf) : [value]

describe('toEcs', () => {
  it.each(TYPES)('makes an event of %s that the schema allows', (type) => {
    const event = sampleEvent(type)
    const mapped = toEcs(event)
    expect(schemaFaults(mapped)).toEqual([])
    const { kind, category, type: types, outcome, action, code } = mapped.event
    expect(KINDS).toContain(kind)
    expect([...OUTCOMES, undefined]).toContain(outcome)
    for (const each of types) expect(CATEGORIES[String(category[0])]).toContain(each)
    expect(category).toHaveLength(1)
    expect({ action, code, at: mapped['@timestamp'] }).toEqual({
      action: type,
      code: event.code,
      at: AT.toISOString(),
    })
    expect(JSON.parse(JSON.stringify(mapped))).toEqual(mapped)
  })

  it.each(TYPES)('loses no member of %s', (type) => {
    const { at, firstAt, lastAt, severity, ...others } = sampleEvent(type) as unknown as Record<
      string,
      unknown
    >
    const kept = new Set(leavesOf(toEcs(sampleEvent(type))).map(String))
    const lost = leavesOf(others).filter((leaf) => !kept.has(String(leaf)))
    expect(lost.filter((leaf) => leaf !== 'client:fleet')).toEqual([])
  })

  it('names who, where and with what, so that the rules of a SIEM can group by it', () => {
    expect(toEcs(sampleEvent('key.redeemed'))).toMatchObject({
      log: { level: 'info' },
      event: {
        kind: 'event',
        category: ['authentication'],
        type: ['start'],
        outcome: 'success',
        severity: 1,
      },
      user: { id: 'device:17', name: 'device:17' },
      source: { ip: REQUEST.address },
      user_agent: { original: REQUEST.userAgent },
      trace: { id: REQUEST.traceId },
      related: { user: ['device:17'], ip: [REQUEST.address] },
      provisioning_key: { key_id: 'k-7Qm2', client_id: 'fleet', redemption_id: 'r-1', action: 'bind' },
    })
  })

  it('writes no network into a field for addresses, because a SIEM would refuse the event', () => {
    const subject = 'address:2001:db8:0:1::/64'
    const mapped = toEcs(sampleEvent('finding.opened', { rule: 'algorithm_tricks', subject }))
    expect(schemaFaults(mapped)).toEqual([])
    expect(mapped['source']).toEqual({ address: '2001:db8:0:1::/64' })
  })

  it('keeps the names of thumbprints', () => {
    const confirmation = { 'x5t#S256': expect.any(String) }
    expect(toEcs(sampleEvent('client.unbound'))).toMatchObject({ provisioning_key: { confirmation } })
    expect(toEcs(sampleEvent('key.replayed'))).toMatchObject({
      provisioning_key: { family: { client_id: 'device:17', fate: 'revoked' } },
    })
  })

  it('calls events that somebody should look at now `alert`', () => {
    const levels = (['info', 'notice', 'warning', 'high'] as const).map(
      (severity) => toEcs({ ...sampleEvent('key.verified'), severity } as ProvisioningEvent).log.level,
    )
    expect(levels).toEqual(['info', 'notice', 'warning', 'alert'])
  })

  it('makes refused credentials a failed login, and every other refusal a denied API call', () => {
    const { event, http, error } = toEcs(sampleEvent('request.refused'))
    expect({
      category: event.category,
      outcome: event.outcome,
      reason: event['reason'],
      http,
      error,
    }).toEqual({
      category: ['authentication'],
      outcome: 'failure',
      reason: 'client_secret_wrong',
      http: { response: { status_code: 401 } },
      error: { code: 'invalid_client', message: 'The client secret is wrong.' },
    })
    const limited = toEcs(sampleEvent('request.refused', { error: 'slow_down', reason: 'too_many_requests' }))
    expect(limited.event).toMatchObject({ category: ['api'], type: ['denied'], outcome: 'failure' })
  })

  it.each(Object.values(RULES))('names the rule and the techniques of $id', (rule) => {
    const mapped = toEcs(sampleFinding(rule.id)) as EcsEvent & {
      threat?: { technique: { id: string[]; subtechnique?: { id: string[] } } }
    }
    expect(schemaFaults(mapped)).toEqual([])
    expect(mapped).toMatchObject({
      event: { kind: 'alert' },
      rule: { id: rule.id, name: rule.title, version: String(rule.version) },
    })
    const { id = [], subtechnique } = mapped.threat?.technique ?? {}
    const parents = rule.techniques.map((technique) => technique.split('.')[0])
    expect(id).toEqual([...new Set(parents)])
    expect(subtechnique?.id ?? []).toEqual(rule.techniques.filter((technique) => technique.includes('.')))
  })

  it('gives a finding the id of its Sigma rule', () => {
    const { rule } = toEcs(sampleFinding('many_networks')) as EcsEvent & { rule: { uuid: string } }
    const file = sigmaRules().find(({ fileName }) => fileName === 'provisioning_keys_many_networks.yml')
    expect(file?.yaml).toContain(`id: "${rule.uuid}"`)
  })

  it('names the client or the address that a finding is about', () => {
    expect(toEcs(sampleEvent('finding.opened'))).toMatchObject({
      event: { id: 'replayed_key.498867.b0aS3kZx1sLm9QpT', end: AT.toISOString() },
      user: { id: 'fleet' },
      provisioning_key: { count: 2, evidence: 'bound', actions: ['revokeFamily'] },
    })
    expect(toEcs(sampleFinding('source_guessing'))).toMatchObject({ source: { ip: '203.0.113.9' } })
    const { user, source } = toEcs(sampleFinding('forged_key'))
    expect([user, source]).toEqual([undefined, undefined])
  })

  it('alerts once for a finding', () => {
    const alerts = TYPES.filter((type) => toEcs(sampleEvent(type)).event.kind === 'alert')
    expect(alerts).toEqual(['finding.opened'])
  })

  it('maps a finding of a rule that this version does not know', () => {
    const mapped = toEcs(sampleEvent('finding.opened', { rule: 'constructor' }))
    expect(schemaFaults(mapped)).toEqual([])
    expect(mapped['rule']).toEqual({ id: 'constructor', ruleset: 'express-provisioning-keys' })
  })

  it('keeps members that it does not know', () => {
    const later = { laterAdded: { someList: [1] }, clientId: 7 }
    const mapped = toEcs({ ...sampleEvent('key.verified'), ...later } as unknown as ProvisioningEvent)
    expect(mapped.provisioning_key).toMatchObject({ later_added: { some_list: [1] }, client_id: 7 })
  })
})
