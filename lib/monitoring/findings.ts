import { createHash } from 'node:crypto'
import { deadline } from '../base/deadline.js'
import { RecentMap } from '../base/recent-map.js'
import { inSlices } from '../base/slices.js'
import type { Emit, ProvisioningEvent } from '../ports/events.js'
import type { KeyRef } from '../ports/key-record.js'
import { type Finding, MOST_SAMPLES, type MonitoringStore } from '../ports/monitoring-store.js'
import type { Detection } from './detector.js'
import { memberOf, type Rule } from './rules/rule.js'

/** How long a store keeps a finding after its last event. */
const RETENTION_SECONDS = 7 * 86_400

/** One finding is about one hour. */
const HOUR_SECONDS = 3_600

/** The least time between two writes of findings. In between, detections are counted. */
const PAUSE_MILLISECONDS = 1_000

/** The most findings that wait for a write. */
const MOST_WAITING = 500

/** The most keys of one finding that a response acts on at a time. */
const MOST_TARGETS = 1_000

const LONGEST_SAMPLE = 256

/** Calls a function after some time, unless the process ends before. */
export type Schedule = (act: () => void, milliseconds: number) => void

/** What a response acts on. */
export interface Incident {
  readonly rule: Rule
  readonly findingId: string
  /** The client of the finding, if it is about one. */
  readonly clientId: string | undefined
  /** The keys of its new events. */
  readonly keys: readonly KeyRef[]
}

export interface FindingRecorderOptions {
  /** `undefined` in a process without a store: its findings are events only. */
  readonly store: MonitoringStore | undefined
  readonly emit: Emit
  readonly schedule: Schedule
  /** Carries out the responses of a rule, and returns those that took effect. */
  readonly respond: (incident: Incident) => Promise<readonly string[]>
}

interface Waiting {
  readonly rule: Rule
  report: Finding
  readonly keys: Map<string, KeyRef>
}

/**
 * Makes findings from detections: one for each rule, subject and hour. It writes them at most once a second, so a flood of
 * events does not become a flood of writes. Findings with `bound` evidence have a lane of their own, so that no stranger
 * can delay a response.
 */
export class FindingRecorder {
  readonly #bound: Lane
  readonly #unbound: Lane

  constructor(options: FindingRecorderOptions) {
    this.#bound = new Lane(options)
    this.#unbound = new Lane(options)
  }

  add(detection: Detection): void {
    const lane = detection.rule.evidence === 'bound' ? this.#bound : this.#unbound
    lane.add(detection)
  }
}

/** A time limit for each call of a store or a response, so that one that hangs does not stop the others. */
const LONGEST_MILLISECONDS = 5_000

/** Observers hear of a finding that grows when its count has doubled, or after this time. */
const QUIET_SECONDS = 60

/** What this process knows of a finding: its count, and what observers last heard of it. */
interface Known {
  readonly total: number
  readonly heard: number
  readonly heardAt: number
}

class Lane {
  readonly #options: FindingRecorderOptions
  readonly #inTime = deadline({ milliseconds: LONGEST_MILLISECONDS, who: 'The store' })
  readonly #known = new RecentMap<Known>(MOST_WAITING)
  #waiting = new Map<string, Waiting>()
  #isWriting = false

  constructor(options: FindingRecorderOptions) {
    this.#options = options
  }

  add(detection: Detection): void {
    const report = reportOf(detection)
    const known = this.#waiting.get(report.id)
    if (known === undefined && this.#waiting.size >= MOST_WAITING) return
    const waiting = known ?? { rule: detection.rule, report, keys: new Map<string, KeyRef>() }
    if (known !== undefined) known.report = merged(known.report, report)
    const key = detection.isByAnother ? undefined : keyOf(detection.event)
    if (key !== undefined && waiting.keys.size < MOST_TARGETS) waiting.keys.set(key.jti, key)
    this.#waiting.set(report.id, waiting)
    if (this.#isWriting) return
    this.#isWriting = true
    queueMicrotask(() => void this.#writeAll())
  }

  async #writeAll(): Promise<void> {
    const batch = [...this.#waiting.values()]
    this.#waiting = new Map()
    // Act first: a store that is slow to write findings must not delay a response. Not even one to the next findings, so
    // many are written at a time.
    const actions = await Promise.all(batch.map((one) => this.#respond(one)))
    await inSlices(
      batch.map(({ report }, i) => ({ ...report, actions: actions[i] ?? [] })),
      (report) => this.#write(report),
    )
    const again = () => {
      this.#isWriting = this.#waiting.size > 0
      if (this.#isWriting) void this.#writeAll()
    }
    this.#options.schedule(again, PAUSE_MILLISECONDS)
  }

  async #respond({ rule, report, keys }: Waiting): Promise<readonly string[]> {
    const clientId = report.subject.startsWith('client:') ? report.subject.slice('client:'.length) : undefined
    const incident = { rule, findingId: report.id, clientId, keys: [...keys.values()] }
    return this.#inTime(() => this.#options.respond(incident)).catch(() => [])
  }

  async #write(report: Finding): Promise<void> {
    const { store, emit } = this.#options
    const noted = store && (await this.#inTime(() => store.noteFinding(report)).catch(() => undefined))
    const known = this.#known.get(report.id)
    // Without a store, the process adds up what it has found.
    const total = noted?.finding.count ?? (known?.total ?? 0) + report.count
    const finding = noted?.finding ?? { ...report, count: total }
    const isOpened = noted?.isOpened ?? known === undefined
    const isNews =
      isOpened ||
      known === undefined ||
      total >= 2 * known.heard ||
      report.lastAt - known.heardAt >= QUIET_SECONDS
    const { heard, heardAt } = isNews ? { heard: total, heardAt: report.lastAt } : known
    this.#known.add(report.id, { total, heard, heardAt })
    if (!isNews) return
    const { id: findingId, until: _, ...details } = finding
    emit(isOpened ? 'finding.opened' : 'finding.updated', { findingId, ...details })
  }
}

function reportOf({ rule, subject, event, isByAnother, count }: Detection): Finding {
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
  const parts = [
    at.toISOString(),
    code,
    keyId && `key ${keyId}`,
    address && `from ${address}`,
    userAgent && `by ${userAgent}`,
  ]
  return parts.filter(Boolean).join(' ').slice(0, LONGEST_SAMPLE)
}

function keyOf(event: ProvisioningEvent): KeyRef | undefined {
  const [clientId, jti] = [memberOf(event, 'clientId'), memberOf(event, 'keyId')]
  return typeof clientId === 'string' && typeof jti === 'string' ? { clientId, jti } : undefined
}

function merged(earlier: Finding, later: Finding): Finding {
  return {
    ...later,
    count: earlier.count + later.count,
    firstAt: Math.min(earlier.firstAt, later.firstAt),
    samples: [...earlier.samples, ...later.samples].slice(-MOST_SAMPLES),
  }
}
