import cluster from 'node:cluster'
import { generateSigningKeys, memoryStore, provisioningKeys } from '../../lib/index.js'
import { redisStore } from '../../lib/stores/redis/redis.js'

const options = {
  issuer: 'https://auth.example.com',
  audience: 'https://api.example.com',
  signingKeys: generateSigningKeys('ES256'),
  clients: [],
}

/** A program that makes memory stores in a worker of node:cluster, and prints each result as JSON. */
const ATTEMPTS: Readonly<Record<string, () => unknown>> = {
  byDefault: () => provisioningKeys(options),
  withOtherFaults: () => provisioningKeys({ ...options, issuer: 'http://auth.example.com' }),
  asLocalDeployment: () => provisioningKeys({ ...options, issuer: 'http://localhost:3000' }),
  alone: () => memoryStore(),
  notSaidRight: () => memoryStore({ singleProcess: 'yes' as never }),
  saidToBeTheOnlyOne: () => provisioningKeys({ ...options, store: memoryStore({ singleProcess: true }) }),
  withAnotherStore: () =>
    provisioningKeys({ ...options, store: redisStore({ sendCommand: async () => null }) }),
}

function outcomeOf(attempt: () => unknown): string {
  try {
    attempt()
    return 'made'
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : 'something else'
  }
}

if (cluster.isPrimary) {
  cluster.fork().once('message', (outcomes) => {
    process.stdout.write(JSON.stringify(outcomes))
    cluster.disconnect()
  })
} else {
  const outcomes = Object.entries(ATTEMPTS).map(([name, attempt]) => [name, outcomeOf(attempt)])
  process.send?.(Object.fromEntries(outcomes))
}
