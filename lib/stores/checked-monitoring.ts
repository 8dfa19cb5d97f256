import { isObject, isTexts } from '../base/object.js'
import {
  type ClientUse,
  EVIDENCE,
  type Finding,
  LOCK_KINDS,
  type Lock,
  MOST_NETWORKS,
  type NotedFinding,
  type NotedPresentation,
  SEVERITIES,
} from '../ports/monitoring-store.js'
import type { NotePresentationOutcome } from '../ports/store-outcomes.js'

/*
 * Checks of the answers of the verbs for monitoring. Nobody may take nonsense for "no lock".
 */

/** A lock of one of these identities. */
export function isLock(lock: unknown, identities?: readonly string[]): lock is Lock {
  return (
    isObject(lock) &&
    typeof lock.clientId === 'string' &&
    (identities === undefined || identities.includes(lock.clientId)) &&
    LOCK_KINDS.some((kind) => kind === lock.kind) &&
    typeof lock.reason === 'string' &&
    typeof lock.author === 'string' &&
    Number.isFinite(lock.lockedAt) &&
    Number.isFinite(lock.until)
  )
}

export function areLocks(locks: unknown): locks is readonly Lock[] {
  return Array.isArray(locks) && locks.every((lock) => isLock(lock))
}

/** The networks of an entry. */
export function areNetworks(networks: unknown): boolean {
  return isTexts(networks) && networks.length <= MOST_NETWORKS
}

/** An unknown entry has no networks, and every other one has at least this one, or is full. */
export function isNotedPresentation(
  noted: unknown,
  outcomes: readonly NotePresentationOutcome[],
): noted is NotedPresentation {
  if (!isObject(noted)) return false
  const { outcome, networks } = noted
  const least = outcome === 'unknown' ? 0 : outcome === 'full' ? MOST_NETWORKS : 1
  const most = outcome === 'unknown' ? 0 : MOST_NETWORKS
  return (
    outcomes.some((one) => one === outcome) &&
    Number.isSafeInteger(networks) &&
    Number(networks) >= least &&
    Number(networks) <= most
  )
}

function isFinding(finding: unknown): finding is Finding {
  return (
    isObject(finding) &&
    [finding.id, finding.rule, finding.subject].every((one) => typeof one === 'string') &&
    SEVERITIES.some((one) => one === finding.severity) &&
    EVIDENCE.some((one) => one === finding.evidence) &&
    [finding.count, finding.firstAt, finding.lastAt, finding.until].every(Number.isFinite) &&
    isTexts(finding.samples) &&
    isTexts(finding.actions)
  )
}

export function areFindings(findings: unknown): findings is readonly Finding[] {
  return Array.isArray(findings) && findings.every(isFinding)
}

export function isNotedFinding(noted: unknown, id: string): noted is NotedFinding {
  return (
    isObject(noted) &&
    typeof noted.isOpened === 'boolean' &&
    isFinding(noted.finding) &&
    noted.finding.id === id
  )
}

/** The uses of one client, or of any. */
export function areUses(uses: unknown, clientId?: string): uses is readonly ClientUse[] {
  return Array.isArray(uses) && uses.every((use) => isUse(use, clientId))
}

function isUse(use: unknown, clientId: string | undefined): boolean {
  return (
    isObject(use) &&
    typeof use.clientId === 'string' &&
    (clientId === undefined || use.clientId === clientId) &&
    [use.bindingId, use.network].every((one) => one === undefined || typeof one === 'string') &&
    Number.isFinite(use.lastUsedAt) &&
    Number.isFinite(use.until)
  )
}
