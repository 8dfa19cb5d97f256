import { setTimeout } from 'node:timers/promises'
import { BackgroundWork } from '../base/background.js'
import { describeSecret, type Faults } from '../base/faults.js'
import { hasMethods, isObject } from '../base/object.js'
import {
  aFunction,
  clock,
  type Members,
  object,
  type Read,
  type Reader,
  required,
  rule,
  text,
  texts,
  whole,
} from '../base/schema.js'
import { scrub } from '../base/secret.js'
import { type EventHub, eventHub } from '../monitoring/event-hub.js'
import { type Telemetry, type TelemetryOptions, telemetryOf } from '../monitoring/telemetry.js'
import type { EventType } from '../ports/events.js'
import type { ProvisioningStore } from '../ports/store.js'
import { STORE_VERBS } from '../ports/store-verbs.js'
import { checkedStore } from '../stores/checked-store.js'
import { isInMemory } from '../stores/memory/memory.js'
import { readAudit } from './audit.js'
import { dpopRules, readDpop } from './dpop.js'
import { httpsUrl } from './https-url.js'
import { storeInTime } from './in-time.js'
import { faultOfLocal, isLocalIssuer } from './local.js'
import { completeMonitoring, type MonitoringRules, readMonitoring } from './monitoring.js'
import { type MtlsRules, NO_MTLS, readMtls } from './mtls.js'
import { AUDIENCE } from './policy.js'
import type { DocsOptions, ProvisioningOptions } from './provisioning-options.js'
import type { VerifierOptions } from './verifier-options.js'

/** The options that an issuer and a verifier share, after they are read. Each reads `rateLimit` in its own way. */
type SharedOptions = Read<
  Pick<VerifierOptions, Exclude<keyof VerifierOptions & keyof ProvisioningOptions, 'rateLimit'>>,
  { audience: readonly string[]; mtls: MtlsRules; monitoring: false | MonitoringRules }
>

const oneAudience = text(...AUDIENCE)
const severalAudiences = texts(...AUDIENCE)

const readAudience: Reader<readonly string[]> = (value, path, faults) => {
  if (Array.isArray(value) && value.length > 0) return severalAudiences(value, path, faults)
  const one = oneAudience(value, path, faults)
  return one === undefined ? (undefined as never) : Object.freeze([one])
}

const HTTPS_ISSUER = 'an https URL without query, fragment or credentials (RFC 8414 2)'
const readHttpsIssuer = text(`${HTTPS_ISSUER}, or http://localhost:PORT for a local deployment`, isIssuer)

const readIssuer: Reader<string> = (value, path, faults) => {
  if (!isLocalIssuer(value)) return readHttpsIssuer(value, path, faults)
  const fault = faultOfLocal()
  if (fault !== undefined) faults.add(path, HTTPS_ISSUER, fault)
  return value as string
}

export const sharedMembers: Members<SharedOptions> = {
  issuer: required(readIssuer),
  audience: required(readAudience),
  store: rule(
    'a ProvisioningStore, such as memoryStore()',
    (value) => hasMethods(value, STORE_VERBS),
    describeSecret,
  ),
  dpop: readDpop,
  mtls: readMtls,
  realm: text('printable ASCII without quotes', /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/),
  environment: text('1 to 64 letters, digits, dots, hyphens', /^[\w.-]{1,64}$/),
  clockToleranceSeconds: whole(0, 60, ' seconds'),
  redemptionLeaseSeconds: whole(1, 900, ' seconds'),
  observer: aFunction(),
  audit: readAudit,
  telemetry: object<TelemetryOptions>({
    meterProvider: provider('metrics of @opentelemetry/api, or a MeterProvider', 'getMeter'),
    tracerProvider: provider('trace of @opentelemetry/api, or a TracerProvider', 'getTracer'),
  }),
  monitoring: readMonitoring,
  now: clock,
  docs: object<DocsOptions>({ url: required(text('an http or https URL without a fragment', isPageUrl)) }),
}

function provider<T>(expected: string, method: string): Reader<T> {
  return rule(expected, (value) => hasMethods(value, [method]))
}

function isPageUrl(given: string): boolean {
  return URL.canParse(given) && /^https?:$/.test(new URL(given).protocol) && !given.includes('#')
}

/** Clients compare the issuer as text (RFC 8414 3.3). So it must be written exactly as the URL parser writes it. */
function isIssuer(given: string): boolean {
  const href = httpsUrl(given)?.href
  return href !== undefined && !href.includes('?') && (href === given || href === `${given}/`)
}

/** The options as an object. Anything else is noted as a fault, and all required options are missing. */
export function requireObject(options: unknown, faults: Faults): Readonly<Record<string, unknown>> {
  if (isObject(options)) return options
  faults.reject('options', 'an object', options, describeSecret)
  return {}
}

/** Completes the shared options with their defaults: for verification, for reservations, and for HTTP. */
export function completeShared(read: SharedOptions) {
  const { issuer, audience: audiences, mtls = NO_MTLS, now = () => Date.now() } = read
  const isLocal = isLocalIssuer(issuer)
  // The keys of a local deployment are valid in no other one.
  const environment = read.environment ?? (isLocal ? 'local' : undefined)
  const { clockToleranceSeconds = 5, redemptionLeaseSeconds = 30, realm = new URL(issuer).host } = read
  const dpop = dpopRules(read.dpop, now)
  const audit = read.audit && { failClosed: false, ...read.audit }
  const isAuditRequired = audit?.failClosed ?? false
  const droppedEvents = (): number => events.droppedEvents()
  const monitoring = read.monitoring ?? completeMonitoring({})
  const rules = monitoring === false ? [] : monitoring.active.map(({ rule }) => rule)
  const telemetry = read.telemetry && telemetryOf(read.telemetry, { now, droppedEvents, rules })
  const record = telemetry?.recordEvent
  const events: EventHub = eventHub({
    now,
    onFault: warnOfObserver,
    onUnheard: warnerOfSilence(),
    record,
    audit,
  })
  const { emit, emitAudited } = events
  if (read.observer !== undefined) events.on('*', read.observer)
  const background = new BackgroundWork()
  return {
    verification: { issuer, audiences, environment, clockToleranceSeconds, dpop, now, emit, background },
    reservations: { redemptionLeaseSeconds, pause: setTimeout<void>, emitAudited, isAuditRequired },
    http: {
      events,
      monitoring,
      realm,
      mtls,
      isLocal,
      docsUrl: read.docs?.url,
      useCases: telemetry?.useCases,
    },
    telemetry,
  }
}

/** A store whose answers are limited in time, checked, and measured if there is telemetry. Our tests check `memoryStore()`. */
export function measuredStore(store: ProvisioningStore, telemetry: Telemetry | undefined): ProvisioningStore {
  if (isInMemory(store)) return store
  const checked = checkedStore(storeInTime(store))
  return telemetry === undefined ? checked : telemetry.measure(checked)
}

/** Nothing else reports the error of an observer. */
function warnOfObserver(fault: unknown): void {
  const message = fault instanceof Error ? String(fault.message) : 'it threw something that is not an error'
  process.emitWarning(`An observer of provisioning events failed: ${scrub(message)}`, {
    type: 'ProvisioningKeysWarning',
    code: 'EPK_OBSERVER',
  })
}

/** Without an observer, nobody learns why requests are refused. Warns at the first refusal. */
function warnerOfSilence(): (type: EventType) => void {
  let isWarned = false
  return (type) => {
    if (isWarned || type !== 'request.refused') return
    isWarned = true
    process.emitWarning(NO_OBSERVER, { type: 'ProvisioningKeysWarning', code: 'EPK_NO_OBSERVER' })
  }
}

const NO_OBSERVER =
  'A request was refused, and no observer listens. To see the reason of each refusal, set the option observer, such ' +
  "as (event) => console.log(event.type, event), or call keys.on('request.refused', ...)."
