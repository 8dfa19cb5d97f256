import { inspect } from 'node:util'
import { ConfigurationError } from '../../lib/base/errors.js'
import { type RedisStoreOptions, redisStore } from '../../lib/stores/redis/redis.js'

describe('options of redisStore', () => {
  const sendCommand = async () => undefined
  const faultsOf = (options: object) => {
    try {
      redisStore(options as RedisStoreOptions)
      return []
    } catch (error) {
      return error instanceof ConfigurationError ? error.faults : [`${error}`]
    }
  }

  it('are refused with all faults together', () => {
    expect(
      faultsOf({ prefix: '{a}', timeoutSeconds: 0, minReplicas: 1.5, accept: ['losses'], timeout: 2 }),
    ).toEqual([
      'timeout: expected a known option; did you mean timeoutSeconds? got an unknown name',
      'sendCommand: expected a function that sends a command, such as (command) => client.sendCommand(command), got undefined',
      'prefix: expected at most 64 visible ASCII characters without braces, got "{a}"',
      'timeoutSeconds: expected a number of seconds from 0.01 to 60, got 0',
      'minReplicas: expected a whole number from 0 to 10, got 1.5',
      'accept[0]: expected persistence or eviction or unchecked, got "losses"',
    ])
    expect(faultsOf(undefined as unknown as object)).toHaveLength(1)
  })

  for (const wrong of [
    ...['', 'a b', 'x'.repeat(65), 'é'].slice(1).map((prefix) => ({ prefix })),
    ...[Number.NaN, 61, '2', Number.POSITIVE_INFINITY].map((timeoutSeconds) => ({ timeoutSeconds })),
    ...[63, 1e9, 1.5].map((maxPending) => ({ maxPending })),
    ...[3_719, Number.NaN].map((maxRetentionSeconds) => ({ maxRetentionSeconds })),
    ...[0, 1.5, '5'].flatMap((limit) => [{ maxProofsPerKey: limit }, { maxProofsPerClient: limit }]),
    ...[{ now: 0 }, { advise: 'x' }, { accept: 'eviction' }, { minReplicas: -1 }],
  ]) {
    it(`refuse ${inspect(wrong, { breakLength: Infinity }).slice(0, 60)}`, () => {
      expect(faultsOf({ sendCommand, ...wrong })).toHaveLength(1)
    })
  }

  it('may be left undefined, and are then the defaults', () => {
    expect(faultsOf({ sendCommand, prefix: undefined, accept: undefined })).toEqual([])
    expect(faultsOf({ sendCommand, prefix: '' })).toEqual([])
  })
})
