import type { MonitoringStore } from '../../ports/store.js'
import { copyOfFinding, copyOfLock, copyOfUse, requireLimit } from '../monitoring-arguments.js'
import { requireTime } from '../verb-arguments.js'
import type { UseTable } from './client-uses.js'
import { FindingTable } from './findings.js'
import type { KeyTable } from './key-table.js'
import type { LockTable } from './locks.js'
import type { Sweep } from './sweep.js'

/** What the verbs for monitoring work on. */
export interface MonitoringTables {
  readonly keys: KeyTable
  readonly locks: LockTable
  readonly uses: UseTable
  readonly sweep: Sweep
}

/** The verbs for monitoring. Each verb checks its parameters, calls `sweep.run()`, and then reads and writes. */
export function monitoringVerbs(tables: MonitoringTables): MonitoringStore {
  return { ...presentationVerb(tables), ...lockVerbs(tables), ...findingVerbs(tables), ...useVerbs(tables) }
}

function presentationVerb({ keys, sweep }: MonitoringTables): Pick<MonitoringStore, 'notePresentation'> {
  return {
    async notePresentation(ref, network) {
      sweep.run()
      const stored = keys.get(ref)
      return stored === undefined ? { outcome: 'unknown', networks: 0 } : stored.notePresentation(network)
    },
  }
}

function lockVerbs({ locks, sweep }: MonitoringTables): Pick<MonitoringStore, 'lock' | 'unlock' | 'locks'> {
  return {
    async lock(lock) {
      const copy = copyOfLock(lock, sweep.nowSeconds())
      sweep.run()
      return locks.add(copy)
    },
    async unlock(clientId) {
      sweep.run()
      return locks.remove(clientId)
    },
    async locks() {
      sweep.run()
      return locks.all()
    },
  }
}

type FindingVerbs = Pick<MonitoringStore, 'noteFinding' | 'findings' | 'closeFinding'>

function findingVerbs({ sweep }: MonitoringTables): FindingVerbs {
  const table = new FindingTable(sweep)
  return {
    async noteFinding(report) {
      const copy = copyOfFinding(report, sweep.nowSeconds())
      sweep.run()
      return table.note(copy)
    },
    async findings() {
      sweep.run()
      return table.all()
    },
    async closeFinding(id) {
      sweep.run()
      return table.close(id)
    },
  }
}

type UseVerbs = Pick<MonitoringStore, 'noteUse' | 'lastUses' | 'unusedSince'>

function useVerbs({ uses, sweep }: MonitoringTables): UseVerbs {
  return {
    async noteUse(use) {
      const copy = copyOfUse(use, sweep.nowSeconds())
      sweep.run()
      uses.note(copy)
    },
    async lastUses(clientId) {
      sweep.run()
      return uses.ofClient(clientId)
    },
    async unusedSince(time, limit) {
      requireTime('time', time)
      requireLimit(limit)
      sweep.run()
      return uses.unusedSince(time, limit)
    },
  }
}
