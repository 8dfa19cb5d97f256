import {
  type ClientUse,
  type Finding,
  LOCK_KINDS,
  type Lock,
  MOST_NETWORKS,
  type MonitoringStore,
} from '../../lib/ports/monitoring-store.js'
import type { KeyEntry, KeyRecord, KeyRef } from '../../lib/ports/store.js'
import type { Caps, Modelled } from './naive-store.js'

type One = (ref: KeyRef) => Modelled | undefined

/** The simplest correct monitoring: lists that every verb searches from beginning to end. */
export function naiveMonitoring(now: () => number, caps: Pick<Caps, 'maxKeys'>, one: One) {
  const locks = naiveLocks(now, caps)
  const uses = naiveUses(now)
  const verbs: MonitoringStore = {
    async notePresentation(ref, network) {
      const found = one(ref)
      const networks = found?.entry.networks ?? []
      if (found === undefined) return { outcome: 'unknown', networks: 0 }
      const { length } = networks
      if (networks.includes(network)) return { outcome: 'known', networks: length }
      if (length === MOST_NETWORKS) return { outcome: 'full', networks: length }
      found.entry = { ...found.entry, networks: [...networks, network] }
      return { outcome: 'noted', networks: length + 1 }
    },
    ...locks.verbs,
    ...naiveFindings(now),
    ...uses.verbs,
  }
  return { verbs, uses: uses.living, withLock: locks.withLock, refusalOf: locks.refusalOf }
}

function naiveLocks(now: () => number, { maxKeys }: Pick<Caps, 'maxKeys'>) {
  let all: Lock[] = []
  const living = () => all.filter(({ until }) => until >= now())
  const strength = ({ kind, until }: Lock) => LOCK_KINDS.indexOf(kind) * 1e12 + until
  const of = ({ clientId, subject }: Pick<KeyRecord, 'clientId' | 'subject'>) =>
    living().filter((lock) => [clientId, subject].includes(lock.clientId))
  return {
    withLock(entry: KeyEntry | undefined): KeyEntry | undefined {
      const isOwn = ({ clientId }: Lock) => Number(clientId === entry?.clientId)
      const locks = entry === undefined ? [] : of(entry)
      const [lock] = locks.sort((a, b) => strength(b) - strength(a) || isOwn(b) - isOwn(a))
      return entry && { ...entry, ...(lock && { lock }) }
    },
    refusalOf(key: KeyRecord, open: readonly Modelled[]) {
      const kinds = of(key).map(({ kind }) => kind)
      if (kinds.includes('lock')) return 'locked'
      if (kinds.includes('stepUp') && key.confirmation === undefined) return 'unbound'
      const isThrottled = (identity: string) =>
        of(key).some(({ clientId, kind }) => clientId === identity && kind === 'throttle')
      const ofSubject = open.filter(({ entry }) => entry.subject === key.subject)
      if (isThrottled(key.clientId) && open.length > 0) return 'outstanding'
      return isThrottled(key.subject) && ofSubject.length > 0 ? 'outstanding' : undefined
    },
    verbs: {
      async lock(lock) {
        if (lock.until <= now()) throw new RangeError()
        const own = living().filter(({ clientId }) => clientId === lock.clientId)
        const present = own.find(({ kind }) => kind === lock.kind)
        if (present !== undefined && present.until > lock.until) return 'unchanged'
        const identities = new Set(living().map(({ clientId }) => clientId))
        if (own.length === 0 && identities.size >= maxKeys) throw new Error('too many')
        const kept = own.filter((one) => one !== present)
        all = [...all.filter(({ clientId }) => clientId !== lock.clientId), ...kept, lock]
        return 'locked'
      },
      async unlock(identity) {
        const isLocked = living().some(({ clientId }) => clientId === identity)
        all = all.filter(({ clientId }) => clientId !== identity)
        return isLocked ? 'unlocked' : 'unknown'
      },
      locks: async () => living(),
    } satisfies Partial<MonitoringStore>,
  }
}

/** Without the limits of a finding: other tests test those. */
function naiveFindings(
  now: () => number,
): Pick<MonitoringStore, 'noteFinding' | 'findings' | 'closeFinding'> {
  let all: Finding[] = []
  const living = () => all.filter(({ until }) => until >= now())
  return {
    async noteFinding(report) {
      if (report.until <= now()) throw new RangeError()
      const present = living().find(({ id }) => id === report.id)
      const sums = present && {
        count: present.count + report.count,
        firstAt: Math.min(present.firstAt, report.firstAt),
        lastAt: Math.max(present.lastAt, report.lastAt),
        until: Math.max(present.until, report.until),
      }
      const finding = { ...report, ...sums }
      all = [...all.filter(({ id }) => id !== report.id), finding]
      return { finding, isOpened: present === undefined }
    },
    findings: async () => living().sort((a, b) => b.lastAt - a.lastAt || (a.id < b.id ? -1 : 1)),
    async closeFinding(id) {
      const isOpen = living().some((one) => one.id === id)
      all = all.filter((one) => one.id !== id)
      return isOpen ? 'closed' : 'unknown'
    },
  }
}

/** Without a cap: other tests test it. */
function naiveUses(now: () => number) {
  let all: ClientUse[] = []
  const living = () => all.filter(({ until }) => until >= now())
  const inOrder = () => living().sort((a, b) => a.lastUsedAt - b.lastUsedAt)
  const verbs: Pick<MonitoringStore, 'noteUse' | 'lastUses' | 'unusedSince'> = {
    async noteUse(use) {
      if (use.until <= now()) throw new RangeError()
      const isSame = (one: ClientUse) => one.clientId === use.clientId && one.bindingId === use.bindingId
      const present = living().find(isSame)
      if (present !== undefined && present.lastUsedAt > use.lastUsedAt) return
      const until = Math.max(use.until, present?.until ?? 0)
      all = [...all.filter((one) => !isSame(one)), { ...use, until }]
    },
    lastUses: async (clientId) => living().filter((use) => use.clientId === clientId),
    unusedSince: async (time, limit) =>
      inOrder()
        .filter(({ lastUsedAt }) => lastUsedAt < time)
        .slice(0, limit),
  }
  return { verbs, living }
}
