import fc from 'fast-check'
import { memoryStore } from '../../lib/stores/memory.js'
import { redisStore } from '../../lib/stores/redis.js'
import { CLIENTS, type ConnectedClient } from '../support/redis/clients'
import { type RedisServer, startRedis } from '../support/redis/servers'
import { perform, START, type Step, step } from '../support/store-stories'

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

/** The clock goes forward, and no watermark ends: there the two may differ. The cap of memory is not reached. */
const comparable = step.map((one): Step => {
  if (one.move === 'pass') return { ...one, seconds: Math.max(0, one.seconds) }
  if (one.move === 'revokeIssuedBefore' && one.seconds > 0) return { ...one, seconds: one.seconds + 10_000 }
  return one
})

// Had one of them not come up, the stories would prove less than they seem to.
const EVERY_ANSWER: Record<string, readonly string[]> = {
  find: ['object', 'undefined'],
  record: ['RangeError', 'duplicate', 'outstanding', 'recorded', 'revoked'],
  redeem: ['claimed', 'redeemed', 'redeeming', 'revoked', 'unknown'],
  release: ['lost', 'released', 'revoked', 'unknown'],
  revoke: ['redeemed', 'revoked', 'unchanged', 'unknown'],
  revokeFamily: ['not_redeemed', 'revoked', 'unchanged', 'unknown'],
  revokeIssuedBefore: ['RangeError', 'revoked', 'unchanged'],
  settle: ['lost', 'revoked', 'settled', 'unknown'],
  useOnce: ['RangeError', 'first', 'used'],
}

/** A story of what seldom comes up by chance. */
const SELDOM = (
  [
    ...['record', 'redeem', 'settle', 'revokeFamily', 'revokeFamily', 'revoke'],
    ...['record', 'redeem', 'revoke', 'revoke', 'settle', 'release', 'redeem', 'revokeFamily'],
  ] as Step['move'][]
).map((move, i): Step => {
  const ref = { clientId: 'a', jti: i < 6 ? '1' : '2' } as const
  const times = { seconds: 12, issuedAt: START + 12 }
  return { move, ref, attempt: 'one', ...times, outstanding: 3, subject: 'device', identity: undefined }
})

describe('redisStore beside memoryStore', () => {
  it('answers every random sequence of verbs as memoryStore does', async () => {
    const seen = new Set<string>()
    let stories = 0
    const tellBoth = async (steps: readonly Step[]) => {
      let seconds = START
      const now = () => seconds * 1000
      stories += 1
      const redis = redisStore({
        sendCommand: client.sendCommand,
        prefix: `${stories}:`,
        now,
        timeoutSeconds: 60,
      })
      const memory = memoryStore({ now })
      for (const one of steps) {
        if (one.move === 'pass') seconds += one.seconds
        const answer = await perform(redis, one, seconds)
        expect(answer).toEqual(await perform(memory, one, seconds))
        if (one.move !== 'pass')
          seen.add(`${one.move}: ${typeof answer === 'string' ? answer : typeof answer}`)
      }
    }
    await fc.assert(fc.asyncProperty(fc.array(comparable, { maxLength: 100, size: 'max' }), tellBoth), {
      numRuns: 150,
      examples: [[SELDOM]],
    })
    const every = Object.entries(EVERY_ANSWER).flatMap(([move, all]) => all.map((one) => `${move}: ${one}`))
    expect([...seen].sort()).toEqual(every.sort())
  }, 60_000)
})
