import type { Background } from '../base/background.js'
import { deadline } from '../base/deadline.js'
import { RecentMap } from '../base/recent-map.js'
import { inSlices } from '../base/slices.js'
import type { Emit, ProvisioningEvent } from '../ports/events.js'
import type { KeyRef } from '../ports/key-record.js'
import type { Finding, MonitoringStore, NotedFinding } from '../ports/monitoring-store.js'
import { type Detection, partiesOf } from './detector.js'
import { merged, reportOf } from './finding-report.js'
import { memberOf, type Rule } from './rules/rule.js'

/** The least time between two writes of findings. In between, detections are counted. */
const PAUSE_MILLISECONDS = 1_000

/** The most new findings that wait for a write, and the most that a store has failed to write. */
const MOST_WAITING = 500

/** The most keys of one finding that a response acts on at a time. */
const MOST_TARGETS = 1_000

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
  readonly background: Background
  /** Carries out the responses of a rule, and yields each one that took effect. */
  readonly respond: (incident: Incident) => AsyncIterable<string>
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

/** What this process knows of a finding: its count in the store, and what observers last heard of it. */
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
  /** What the store has failed to write. The next round tries again. */
  #unwritten = new Map<string, Finding>()
  #isWriting = false
  #isStoreDown = false

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
    this.#start()
  }

  #start(): void {
    if (this.#isWriting) return
    this.#isWriting = true
    this.#options.background.run(() => this.#writeAll())
  }

  async #writeAll(): Promise<void> {
    const batch = [...this.#waiting.values()]
    const unwritten = this.#unwritten
    this.#waiting = new Map()
    this.#unwritten = new Map()
    // Act first: a store that is slow to write findings must not delay a response. Not even one to the next findings, so
    // many are written at a time. A store that has failed gets one: calls that it never answers fill the memory.
    await Promise.all(batch.map((one) => this.#respond(one)))
    for (const { report } of batch) unwritten.set(report.id, merged(unwritten.get(report.id), report))
    const reports = [...unwritten.values()]
    const trial = this.#isStoreDown ? reports.splice(-1) : []
    this.#isStoreDown = false
    for (const part of [trial, reports]) await inSlices(part, (one) => this.#write(one))
    const again = () => {
      this.#isWriting = this.#waiting.size > 0 || this.#unwritten.size > 0
      return this.#isWriting ? this.#writeAll() : undefined
    }
    this.#options.background.schedule(again, PAUSE_MILLISECONDS)
  }

  /** Adds the responses that took effect to the report. One that takes effect later becomes a report without events. */
  async #respond(waiting: Waiting): Promise<void> {
    const { rule, report, keys } = waiting
    const { clientId } = partiesOf(report.subject)
    const incident = { rule, findingId: report.id, clientId, keys: [...keys.values()] }
    const actions: string[] = []
    const act = async () => {
      for await (const action of this.#options.respond(incident)) actions.push(action)
    }
    const addLate = () => {
      if (actions.length === waiting.report.actions.length) return
      this.#keep({ ...report, count: 0, samples: [], actions })
    }
    await this.#inTime(act, addLate).catch(() => undefined)
    waiting.report = { ...report, actions: [...actions] }
  }

  /** A store that has written it, and only answers too late, counts it twice. That is better than no finding. */
  #keep(report: Finding): void {
    const earlier = this.#unwritten.get(report.id)
    if (earlier === undefined && this.#unwritten.size >= MOST_WAITING) return
    this.#unwritten.set(report.id, merged(earlier, report))
    this.#start()
  }

  async #write(report: Finding): Promise<void> {
    const { store } = this.#options
    const note = async () => (this.#isStoreDown ? undefined : store?.noteFinding(report))
    const noted = await this.#inTime(note).catch(() => undefined)
    this.#isStoreDown = store !== undefined && noted === undefined
    if (this.#isStoreDown) this.#keep(report)
    this.#tell(report, noted)
  }

  #tell(report: Finding, noted: NotedFinding | undefined): void {
    const { store, emit } = this.#options
    const known = this.#known.get(report.id)
    // Without a store, the process adds up what it has found.
    const total = noted?.finding.count ?? (known?.total ?? 0) + report.count
    const finding = noted?.finding ?? { ...report, count: total }
    // If the store fails at first, observers hear of the finding before it is in the store.
    const isOpened = known?.total !== 0 && (noted?.isOpened ?? known === undefined)
    const isNews =
      isOpened ||
      known === undefined ||
      total >= 2 * known.heard ||
      report.lastAt - known.heardAt >= QUIET_SECONDS
    const { heard, heardAt } = isNews ? { heard: total, heardAt: report.lastAt } : known
    const isUnwritten = store !== undefined && noted === undefined
    this.#known.add(report.id, { total: isUnwritten ? (known?.total ?? 0) : total, heard, heardAt })
    if (!isNews) return
    const { id: findingId, until: _, ...details } = finding
    emit(isOpened ? 'finding.opened' : 'finding.updated', { findingId, ...details })
  }
}

function keyOf(event: ProvisioningEvent): KeyRef | undefined {
  const [clientId, jti] = [memberOf(event, 'clientId'), memberOf(event, 'keyId')]
  return typeof clientId === 'string' && typeof jti === 'string' ? { clientId, jti } : undefined
}
