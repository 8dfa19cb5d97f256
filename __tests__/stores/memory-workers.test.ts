import { join } from 'node:path'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { runProgram, TYPESCRIPT } from '../support/run-program'

const PROGRAM = join(__dirname, '../support/memory-in-a-worker.ts')

describe('a store in memory', () => {
  let outcomes: Record<string, string>

  beforeAll(() => {
    outcomes = JSON.parse(runProgram(process.execPath, [...TYPESCRIPT, PROGRAM]).stdout)
  })

  it('is refused in a worker of node:cluster, with what to do instead', () => {
    for (const attempt of ['alone', 'byDefault', 'notSaidRight']) {
      expect(outcomes[attempt]).toMatch(
        /^ConfigurationError: (?:2 faults:\n.*singleProcess: expected true or false, .*\n {2}- )?store: expected a store that all processes share, such as redisStore\(\) .*singleProcess: true.*, got memoryStore\(\) in a worker/,
      )
    }
  })

  it('is no local deployment there, because other machines may reach a cluster', () => {
    expect(outcomes.asLocalDeployment).toMatch(
      /issuer: expected an https URL .*, got an http issuer in a worker of node:cluster/,
    )
  })

  it('is refused there together with all other faults', () => {
    expect(outcomes.withOtherFaults).toMatch(
      /^ConfigurationError: 2 faults:\n.*issuer: .*\n.*store: expected/,
    )
  })

  it('is accepted there by those who say that there is one process only', () => {
    expect(outcomes.saidToBeTheOnlyOne).toBe('made')
  })

  it('is not what another store is taken for', () => {
    expect(outcomes.withAnotherStore).toBe('made')
  })

  it('is accepted where there is no cluster', () => {
    expect(() => memoryStore()).not.toThrow()
    expect(() => memoryStore({ singleProcess: true })).not.toThrow()
  })
})
