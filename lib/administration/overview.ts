import { hostname } from 'node:os'
import { deadline } from '../base/deadline.js'
import { parse } from '../base/schema.js'
import { callStore, numericDate } from '../ports/deployment.js'
import type { Severity } from '../ports/monitoring-store.js'
import type { AdministrationContext, Call } from './call.js'
import { readNothing } from './parameters.js'

/** What an operator sees first: whether everything is fine, and how many of everything there are. */
export async function showOverview({ context, operator, parameters }: Call): Promise<object> {
  parse(readNothing, parameters, '')
  const { deployment } = context.config
  const health = await healthOf(context)
  const about = {
    now: numericDate(deployment),
    ...operator,
    issuer: deployment.issuer,
    startedAt: context.startedAt,
    process: { pid: process.pid, host: hostname() },
    health,
  }
  // Without a store there are no numbers, but the operator must see why.
  return health.store.isReachable ? { ...about, ...(await numbersOf(context)) } : about
}

async function numbersOf({ counter, operations }: AdministrationContext) {
  const [keys, findings, locks] = await Promise.all([
    callStore(() => counter.count()),
    operations.findings(),
    operations.locks(),
  ])
  const bySeverity: Partial<Record<Severity, number>> = {}
  for (const { severity } of findings) bySeverity[severity] = (bySeverity[severity] ?? 0) + 1
  const lockedClients = new Set(locks.map(({ clientId }) => clientId))
  return {
    keys,
    findings: { open: findings.length, bySeverity },
    locks: lockedClients.size,
    history: counter.history,
  }
}

export async function showHealth({ context, parameters }: Call): Promise<object> {
  parse(readNothing, parameters, '')
  return healthOf(context)
}

const LONGEST_MILLISECONDS = 900

/** The name of a key that does not exist. */
const NOBODYS = { clientId: 'administration', jti: 'health' }

async function healthOf({ config, drainState }: AdministrationContext) {
  const { deployment, events } = config
  const inTime = deadline({ milliseconds: LONGEST_MILLISECONDS, who: 'The store' })
  const before = performance.now()
  const isReachable = await inTime(() => deployment.store.find(NOBODYS)).then(
    () => true,
    () => false,
  )
  const milliseconds = Math.round((performance.now() - before) * 100) / 100
  const status = isReachable ? (drainState.isDraining ? 'draining' : 'ready') : 'unavailable'
  return { status, store: { isReachable, milliseconds }, droppedEvents: events.droppedEvents() }
}
