// Sends events of a million distinct clients and addresses to all rules. Says what the last 950,000 took.
import { createRequire } from 'node:module'

// The package does not export it.
const require = createRequire(import.meta.url)
require('../scripts/typescript.cjs')
const { Detector } = require('../lib/monitoring/detector.ts')
const { RefusalLimiter } = require('../lib/monitoring/refusal-limiter.ts')
const { RULES } = require('../lib/monitoring/rules/rules.ts')

const active = Object.values(RULES).map((rule) => ({ rule, threshold: rule.threshold }))
const detector = new Detector(active, { canaries: new Set(), isExempt: () => false })
const background = { run: () => undefined, schedule: () => undefined }
const refusals = new RefusalLimiter(20, { emit: () => undefined, background })

const FEW = 50_000
const MANY = 1_000_000

flood(0, FEW)
const before = heap()
const start = process.cpuUsage().user
flood(FEW, MANY)
const microseconds = (process.cpuUsage().user - start) / (MANY - FEW)
process.send({ bytes: (heap() - before) / (MANY - FEW), microseconds })

function flood(from, to) {
  for (let i = from; i < to; i += 1) {
    const at = new Date(1_700_000_000_000 + i)
    const address = [i, i >> 8, i >> 16].map((part) => part & 255).join('.')
    const common = { at, address: `${address}.7`, clientId: `client-${i}`, severity: 'info' }
    const refusal = { ...common, type: 'request.refused', code: 'a', reason: 'client_secret_wrong' }
    detector.inspect(refusal)
    refusals.passes(refusal)
    detector.inspect({ ...common, type: 'key.issued', code: 'b', keyId: `key-${i}` })
  }
}

function heap() {
  for (let i = 0; i < 3; i += 1) globalThis.gc()
  return process.memoryUsage().heapUsed
}
