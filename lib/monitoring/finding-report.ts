import { createHash } from 'node:crypto'
import type { ProvisioningEvent } from '../ports/events.js'
import { type Finding, MOST_SAMPLES } from '../ports/monitoring-store.js'
import type { Detection } from './detector.js'
import { memberOf } from './rules/rule.js'

/** How long a store keeps a finding after its last event. */
const RETENTION_SECONDS = 7 * 86_400

/** One finding is about one hour. */
const HOUR_SECONDS = 3_600

const LONGEST_SAMPLE = 256

/** Behind it, a sample has room for the start of a program's name. */
const LONGEST_SUBJECT = 64

/** What a detection adds to its finding. */
export function reportOf({ rule, subject, event, isByAnother, count }: Detection): Finding {
  const at = Math.floor(event.at.getTime() / 1_000)
  const { id, severity, evidence } = rule
  return {
    id: findingIdOf(id, subject, at),
    rule: id,
    severity,
    evidence,
    subject,
    count,
    firstAt: at,
    lastAt: at,
    samples: isByAnother ? [] : [sampleOf(event)],
    actions: [],
    until: at + RETENTION_SECONDS,
  }
}

/** The same in all processes, so that their findings become one. */
function findingIdOf(rule: string, subject: string, at: number): string {
  const digest = createHash('sha256').update(subject).digest('base64url').slice(0, 16)
  return `${rule}.${Math.floor(at / HOUR_SECONDS)}.${digest}`
}

/** The code of an event, and whose it was, in one line. */
function sampleOf(event: ProvisioningEvent): string {
  const { code, at, address, userAgent } = event
  const keyId = memberOf(event, 'keyId')
  const fate = fateOf(event)
  const subject = subjectOf(event)
  const parts = [
    at.toISOString(),
    code,
    keyId && `key ${keyId}`,
    fate && `family ${fate}`,
    address && `from ${address}`,
    subject && `for ${subject}`,
    userAgent && `by ${userAgent}`,
  ]
  return parts.filter(Boolean).join(' ').slice(0, LONGEST_SAMPLE)
}

/**
 * What a replay has done to the client or the binding that the key gave, or that a route redeemed the key. A page of another
 * process needs it too.
 */
function fateOf(event: ProvisioningEvent): string | undefined {
  return event.type === 'key.replayed' ? (event.family?.fate ?? event.action) : undefined
}

/** The device that a key is for, if that is not the client that asked for it. Spaces are encoded. */
function subjectOf(event: ProvisioningEvent): string | undefined {
  const subject = memberOf(event, 'subject')
  if (typeof subject !== 'string' || subject === memberOf(event, 'clientId')) return undefined
  const text = subject.replace(/[\s%]/g, encodeURIComponent)
  return text.length > LONGEST_SUBJECT ? `${text.slice(0, LONGEST_SUBJECT - 3)}...` : text
}

/** Two reports of one finding as one report. */
export function merged(earlier: Finding | undefined, later: Finding): Finding {
  if (earlier === undefined) return later
  return {
    ...later,
    count: earlier.count + later.count,
    firstAt: Math.min(earlier.firstAt, later.firstAt),
    lastAt: Math.max(earlier.lastAt, later.lastAt),
    samples: [...earlier.samples, ...later.samples].slice(-MOST_SAMPLES),
    actions: [...new Set([...earlier.actions, ...later.actions])],
    until: Math.max(earlier.until, later.until),
  }
}
