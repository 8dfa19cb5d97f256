import { RULES } from '../../lib/monitoring/rules/rules.js'
import type { ProvisioningEvent } from '../../lib/ports/events.js'
import { type OcsfEvent, toOcsf } from '../../lib/siem/siem.js'
import { schemaFaults } from './ocsf-faults'
import { CLASSES } from './ocsf-schema'
import { AT, REQUEST, sampleEvent, sampleFinding, TYPES } from './sample-events'

/** All texts and numbers in a value. */
function leavesOf(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leavesOf) : [value]
}

describe('toOcsf', () => {
  it.each(TYPES)('makes an event of %s that the schema allows', (type) => {
    const mapped = toOcsf(sampleEvent(type))
    expect(schemaFaults(mapped)).toEqual([])
    const schema = CLASSES[mapped.class_uid]
    expect(mapped).toMatchObject({
      class_name: schema?.name,
      category_uid: schema?.category,
      activity_name: mapped.activity_id === 99 ? type : schema?.activities[mapped.activity_id],
      type_uid: mapped.class_uid * 100 + mapped.activity_id,
      time: AT.getTime(),
      message: expect.stringMatching(/^(A|An|The|More|Many) .{10,}[^.]$/),
      metadata: { version: '1.8.0', event_code: sampleEvent(type).code },
    })
    expect(JSON.parse(JSON.stringify(mapped))).toEqual(mapped)
  })

  it.each(TYPES)('loses no member of %s', (type) => {
    const event = sampleEvent(type)
    const { at, firstAt, lastAt, issuedAt, expiresAt, severity, ...others } = event as unknown as Record<
      string,
      unknown
    >
    const kept = new Set(
      leavesOf(toOcsf(event)).map((leaf) => (typeof leaf === 'string' ? leaf : String(leaf))),
    )
    const isInFinding = (leaf: string) =>
      ['client:fleet', 'bound'].includes(leaf) && type.startsWith('finding.')
    const lost = leavesOf(others)
      .map(String)
      .filter((leaf) => !kept.has(leaf) && !isInFinding(leaf))
    // The types are in the code, and a member that says that something was revoked is the status.
    expect(lost.filter((leaf) => leaf !== type)).toEqual([])
  })

  it('maps each severity', () => {
    const severities = (['info', 'notice', 'warning', 'high'] as const).map((severity) => {
      const mapped = toOcsf({ ...sampleEvent('key.verified'), severity } as ProvisioningEvent)
      return [mapped.severity_id, mapped.severity]
    })
    expect(severities).toEqual([
      [1, 'Informational'],
      [2, 'Low'],
      [3, 'Medium'],
      [4, 'High'],
    ])
  })

  it('names the identity, the client, the address, the program and the key of a login', () => {
    expect(toOcsf(sampleEvent('key.redeemed'))).toMatchObject({
      type_uid: 300201,
      status_id: 1,
      user: { uid: 'device:17', type_id: 4 },
      actor: { app_uid: 'fleet' },
      src_endpoint: { ip: REQUEST.address },
      http_request: { user_agent: REQUEST.userAgent },
      authentication_token: {
        uid: 'k-7Qm2',
        type_id: 99,
        type: 'Provisioning Key',
        created_time: AT.getTime() - 20_000,
        expiration_time: AT.getTime() + 280_000,
      },
      is_cleartext: false,
      metadata: { correlation_uid: 'k-7Qm2' },
      unmapped: { action: 'bind', redemptionId: 'r-1', traceId: REQUEST.traceId },
    })
  })

  it('marks what came in cleartext', () => {
    const cleartext = TYPES.filter((type) => toOcsf(sampleEvent(type))['is_cleartext'] === true)
    expect(cleartext).toEqual(['key.exposed', 'registration.exposed', 'token.exposed'])
  })

  it('makes a new key a client token of an API', () => {
    expect(toOcsf(sampleEvent('key.issued'))).toMatchObject({
      type_uid: 600301,
      api: { operation: 'key.issued', token: { uid: 'k-7Qm2', type_id: 6 } },
      trace: { uid: REQUEST.traceId },
      metadata: { profiles: ['trace'] },
    })
  })

  it('enrols, suspends and resumes clients', () => {
    const entity = (type: 'client.bound' | 'client.unbound' | 'client.locked' | 'client.unlocked') => {
      const { type_uid, entity: mapped } = toOcsf(sampleEvent(type)) as OcsfEvent & {
        entity: { uid: string }
      }
      return [type_uid, mapped.uid]
    }
    expect(entity('client.bound')).toEqual([300406, 'device:17'])
    expect(entity('client.unbound')).toEqual([300407, 'device:17'])
    expect(entity('client.locked')).toEqual([300412, 'fleet'])
    expect(entity('client.unlocked')).toEqual([300413, 'fleet'])
  })

  it('makes refused credentials a failed login, and every other refusal an API call', () => {
    const refused = (changed: object) => toOcsf(sampleEvent('request.refused', changed))
    expect(refused({})).toMatchObject({
      type_uid: 300201,
      status_id: 2,
      status_code: 'client_secret_wrong',
      http_response: { code: 401 },
    })
    const stranger = { clientId: undefined, error: 'slow_down', reason: 'too_many_requests', status: 429 }
    expect(refused(stranger)).toMatchObject({
      type_uid: 600399,
      status_code: 'too_many_requests',
      actor: { app_name: 'unknown' },
      api: { operation: 'token', response: { code: 429, error: 'slow_down' } },
    })
    expect(refused({ clientId: undefined })).toMatchObject({ user: { name: 'unknown' } })
  })

  it('gives the count and the minute of a summary', () => {
    expect(toOcsf(sampleEvent('refusals.summarized'))).toMatchObject({
      count: 812,
      start_time: AT.getTime() - 60_000,
      end_time: AT.getTime(),
    })
  })

  it('says of leaked credentials whether they were revoked', () => {
    const statusOf = (revoked: boolean) => toOcsf(sampleEvent('key.leaked', { revoked }))['status_id']
    expect([statusOf(true), statusOf(false)]).toEqual([1, 0])
  })

  it.each(Object.values(RULES))('explains a finding of $id', (rule) => {
    const mapped = toOcsf(sampleFinding(rule.id))
    expect(schemaFaults(mapped)).toEqual([])
    const { finding_info, remediation } = mapped as OcsfEvent & {
      finding_info: { attacks?: { technique: { uid: string }; sub_technique?: { uid: string } }[] }
      remediation: { desc: string }
    }
    expect(finding_info).toMatchObject({
      title: rule.title,
      analytic: { uid: rule.id, version: String(rule.version) },
    })
    const techniques = (finding_info.attacks ?? []).map((one) => one.sub_technique?.uid ?? one.technique.uid)
    expect(techniques).toEqual(rule.techniques)
    for (const step of rule.runbook) expect(remediation.desc).toContain(step)
  })

  it('describes a finding with its times, samples, subject and confidence', () => {
    expect(toOcsf(sampleEvent('finding.opened'))).toMatchObject({
      type_uid: 200401,
      severity_id: 4,
      risk_level_id: 3,
      confidence_id: 3,
      is_alert: true,
      status_id: 1,
      count: 2,
      start_time: AT.getTime() - 240_000,
      end_time: AT.getTime(),
      finding_info: { uid: 'replayed_key.498867.b0aS3kZx1sLm9QpT', related_events_count: 2 },
      evidences: [
        { user: { uid: 'fleet' } },
        { data: { sample: expect.stringContaining('key.replayed:family_revoked') } },
      ],
      resources: [{ uid: 'fleet' }],
      unmapped: { actions: ['revokeFamily'], evidence: 'bound' },
    })
    expect(toOcsf(sampleFinding('client_guessing'))['confidence_id']).toBe(2)
    expect(toOcsf(sampleFinding('stockpiling'))['confidence_id']).toBe(1)
  })

  it('writes no network as an address', () => {
    const subject = 'address:2001:db8:0:1::/64'
    const mapped = toOcsf(sampleEvent('finding.opened', { rule: 'algorithm_tricks', subject }))
    expect(mapped['evidences']).toContainEqual({ src_endpoint: { name: '2001:db8:0:1::/64' } })
    const ofAddress = toOcsf(sampleFinding('algorithm_tricks'))
    expect(ofAddress['evidences']).toContainEqual({ src_endpoint: { ip: '203.0.113.9' } })
  })

  it('alerts once for a finding, and resolves it', () => {
    expect(toOcsf(sampleEvent('finding.updated'))).toMatchObject({
      type_uid: 200402,
      is_alert: false,
      status_id: 1,
    })
    expect(toOcsf(sampleEvent('finding.closed'))).toMatchObject({
      type_uid: 200403,
      is_alert: false,
      status_id: 4,
    })
  })

  it('maps a finding of a rule that this version does not know', () => {
    const mapped = toOcsf(sampleEvent('finding.opened', { rule: '__proto__' }))
    expect(schemaFaults(mapped)).toEqual([])
    expect(mapped).toMatchObject({ finding_info: { title: '__proto__' } })
  })

  it('keeps members that it does not know, whatever they are', () => {
    const hostile = JSON.parse('{"__proto__":{"class_uid":1},"later":[{"a":1}]}')
    const mapped = toOcsf({
      ...sampleEvent('key.verified'),
      ...hostile,
      keyId: 7,
    } as unknown as ProvisioningEvent)
    expect(mapped.class_uid).toBe(3002)
    expect(mapped.unmapped).toMatchObject({ later: [{ a: 1 }], keyId: 7 })
  })

  it('changes nothing in the event', () => {
    const event = Object.freeze(sampleEvent('key.issued'))
    const before = JSON.stringify(event)
    toOcsf(event)
    expect(JSON.stringify(event)).toBe(before)
  })
})
