import type { RuleId } from '../../lib/monitoring/rules/rule.js'
import { RULES } from '../../lib/monitoring/rules/rules.js'
import {
  codeOf,
  type EventDetails,
  type EventType,
  type ProvisioningEvent,
  SEVERITY,
} from '../../lib/ports/events.js'

export const AT = new Date('2026-11-29T03:07:00.000Z')
const SECONDS = AT.getTime() / 1_000
export const REQUEST = {
  address: '203.0.113.9',
  userAgent: 'curl/8.5.0',
  traceId: '0af7651916cd43dd8448eb211c80319c',
}

const key = { keyId: 'k-7Qm2', clientId: 'fleet', subject: 'device:17' }
const token = { ...key, tokenId: 't-9Xc4' }
const jkt = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'

const FINDING = {
  findingId: 'replayed_key.498867.b0aS3kZx1sLm9QpT',
  rule: 'replayed_key',
  severity: 'high',
  evidence: 'bound',
  subject: 'client:fleet',
  count: 2,
  firstAt: SECONDS - 240,
  lastAt: SECONDS,
  samples: ['2026-11-29T03:03:00.000Z key.replayed:family_revoked key k-7Qm2 from 203.0.113.9 by curl/8.5.0'],
  actions: ['revokeFamily'],
} as const

/** One realistic event of each type. */
const DETAILS: { readonly [T in EventType]: EventDetails[T] } = {
  'key.issued': {
    ...key,
    scope: ['provision:bind'],
    audience: 'https://api.example.com',
    expiresAt: SECONDS + 300,
    confirmation: { jkt },
  },
  'key.verified': key,
  'redemption.started': { ...key, action: 'bind' },
  'key.redeemed': {
    ...key,
    action: 'bind',
    redemptionId: 'r-1',
    issuedAt: SECONDS - 20,
    expiresAt: SECONDS + 280,
  },
  'key.moved': {
    ...key,
    issuedTo: '192.0.2.0/24',
    network: '203.0.113.0/24',
    networkCount: 3,
    agentChanged: true,
  },
  'redemption.repeated': { ...key, action: 'bind' },
  'key.released': { ...key, action: 'route' },
  'redemption.stalled': { ...key, reservedSeconds: 9 },
  'key.replayed': { ...key, familyRevoked: true, family: { clientId: 'device:17', fate: 'revoked' } },
  'family.revoked': { ...key, familyRevoked: true },
  'key.revoked': { keyId: 'k-7Qm2', clientId: 'fleet' },
  'key.forged': key,
  'keys.revoked': { issuedBefore: SECONDS, clientId: 'fleet' },
  'key.exposed': { ...key, revoked: true },
  'key.leaked': { ...key, revoked: true },
  'client.bound': { ...key, bindingId: 'b-3', confirmation: { jkt } },
  'client.unbound': {
    clientId: 'device:17',
    keyId: 'k-7Qm2',
    bindingId: 'b-3',
    confirmation: { 'x5t#S256': jkt },
    by: 'operator',
  },
  'binding.confirmed': {
    clientId: 'device:17',
    keyId: 'k-7Qm2',
    bindingId: 'b-3',
    confirmation: { jkt },
  },
  'binding.undone': {
    clientId: 'device:17',
    keyId: 'k-7Qm2',
    bindingId: 'b-3',
    confirmation: { 'x5t#S256': jkt },
  },
  'client.registered': { ...key, registeredClientId: 'c-55' },
  'client.updated': { clientId: 'c-55', tokenRotated: true, secretRenewed: false },
  'client.deleted': { clientId: 'c-55', by: 'operator' },
  'client.flagged': { clientId: 'c-55', keyId: 'k-7Qm2', bindingId: 'b-3' },
  'canary.used': { clientId: 'backup-runner', endpoint: 'introspect' },
  'registration.confirmed': { clientId: 'c-55', keyId: 'k-7Qm2' },
  'registration.undone': { clientId: 'c-55', keyId: 'k-7Qm2' },
  'registration.misused': { clientId: 'c-55', tokenRevoked: true },
  'registration.exposed': { clientId: 'c-55', tokenRevoked: true },
  'registration.leaked': { clientId: 'c-55', tokenRevoked: false },
  'token.issued': { ...token, scope: ['devices:read'] },
  'token.verified': token,
  'token.revoked': key,
  'token.forged': token,
  'token.exposed': { ...token, revoked: false },
  'token.leaked': { ...token, revoked: false },
  'signing_key.added': { kid: 's-2' },
  'signing_key.rotated': { kid: 's-2', retiredKid: 's-1' },
  'signing_key.removed': { kid: 's-1' },
  'signing_keys.unavailable': { detail: 'The issuer has answered 502.', usable: true },
  'request.refused': {
    endpoint: 'token',
    error: 'invalid_client',
    reason: 'client_secret_wrong',
    detail: 'The client secret is wrong.',
    status: 401,
    clientId: 'fleet',
  },
  'refusals.summarized': { count: 812, reasons: ['client_secret_wrong: 800', 'client_unknown: 12'] },
  'finding.opened': FINDING,
  'finding.updated': { ...FINDING, count: 5 },
  'finding.closed': { findingId: FINDING.findingId, author: 'alice' },
  'client.locked': {
    clientId: 'fleet',
    kind: 'lock',
    reason: `finding ${FINDING.findingId}`,
    author: 'rule replayed_key',
    lockedUntil: SECONDS + 3_600,
  },
  'client.unlocked': { clientId: 'fleet', author: 'alice' },
  'administration.acted': {
    action: 'revoke_key',
    author: 'alice',
    outcome: 'revoked',
    clientId: 'fleet',
    keyId: FINDING.findingId,
  },
  'administration.refused': { reason: 'forbidden', method: 'GET', path: '/api/overview' },
  'configuration.advised': { advice: 'Set `trust proxy`.' },
  'events.dropped': { count: 40 },
}

/** The types that no request causes. */
const WITHOUT_REQUEST = /^(finding|signing_keys?|configuration|events|keys)\.|unlocked$/

export const TYPES = Object.keys(DETAILS) as EventType[]

/** A sample with some other members. */
export function sampleEvent(type: EventType, changed: object = {}): ProvisioningEvent {
  const details = { ...DETAILS[type], ...changed }
  const code = codeOf(type, details as never)
  const request = WITHOUT_REQUEST.test(type) ? {} : REQUEST
  return {
    severity: SEVERITY[type],
    ...request,
    ...details,
    type,
    code,
    at: AT,
  } as unknown as ProvisioningEvent
}

/** A finding of a rule. */
export function sampleFinding(id: RuleId): ProvisioningEvent {
  const { severity, evidence, signal } = RULES[id]
  const subject = { client: 'client:fleet', address: 'address:203.0.113.9', deployment: 'deployment' }[
    signal.by
  ]
  return sampleEvent('finding.opened', { rule: id, severity, evidence, subject })
}
