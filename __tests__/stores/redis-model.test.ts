import fc from 'fast-check'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { redisStore } from '../../lib/stores/redis/redis.js'
import { PATIENCE_SECONDS } from '../support/redis/bench'
import { CLIENTS, type ConnectedClient } from '../support/redis/clients'
import { type RedisServer, startRedis } from '../support/redis/servers'
import { ALL, times } from '../support/scale.js'
import { EVERY_ANSWER, kindOf, perform, SELDOM, START, type Step, step } from '../support/store-stories'

let server: RedisServer
let client: ConnectedClient
beforeAll(async () => {
  server = await startRedis()
  client = await CLIENTS.ioredis(server)
})
afterAll(async () => {
  await client?.close()
  await server?.close()
})

/** The length of a second in the stories. Outcomes expire in real time, and must not expire during a slow test. */
const SECOND = 100

/** The clock moves forward, no time of revokeIssuedBefore ends, no cap is reached: the stores may differ there. */
function comparable(one: Step): Step {
  const { seconds, leaseSeconds } = one
  return {
    ...one,
    issuedAt: START + (one.issuedAt - START) * SECOND,
    seconds: one.move === 'revokeIssuedBefore' && seconds > 0 ? 1_000_000 : seconds * SECOND,
    passing: Math.max(0, one.passing) * SECOND,
    leaseSeconds: leaseSeconds * SECOND,
  }
}

/** The stories reach no cap in Redis, and do not set its clock back. */
const ONLY_IN_MEMORY = /^pass:|: (full|Error)$/

describe('redisStore beside memoryStore', () => {
  it('answers every random sequence of verbs as memoryStore does', async () => {
    const seen = new Set<string>()
    let stories = 0
    const tellBoth = async (steps: readonly Step[]) => {
      let seconds = START
      // Half a second of the story later, so that nothing expires exactly when it is read.
      const now = () => (seconds + SECOND / 2) * 1000
      stories += 1
      const { sendCommand } = client
      const limits = { maxProofsPerClient: 2, maxProofsPerKey: 1, now }
      const prefix = `${stories}:`
      const redis = redisStore({ sendCommand, prefix, timeoutSeconds: PATIENCE_SECONDS, ...limits })
      const memory = memoryStore(limits)
      for (const one of steps) {
        if (one.move === 'pass') seconds += one.passing
        const answer = await perform(redis, one, seconds)
        expect(answer).toEqual(await perform(memory, one, seconds))
        if (one.move !== 'pass') seen.add(`${one.move}: ${kindOf(answer)}`)
      }
    }
    await fc.assert(
      fc.asyncProperty(fc.array(step.map(comparable), { maxLength: 100, size: 'max' }), tellBoth),
      {
        numRuns: times({ all: 150, few: 15 }),
        examples: [[SELDOM.map(comparable)]],
      },
    )
    if (!ALL) return
    expect([...seen].sort()).toEqual(EVERY_ANSWER.filter((one) => !ONLY_IN_MEMORY.test(one)))
  }, 60_000)
})
