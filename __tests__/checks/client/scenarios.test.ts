import { ALL } from '../../support/scale'
import { BROKEN_CLIENTS } from './broken-clients'
import { checkProgram, failuresOf, PROGRAMS } from './check-program'

/** `npm test` runs these only, in one scenario each. `npm run test:all` runs all of them in all scenarios. */
const SAMPLE = [
  'key-in-arguments',
  'ignores-nonce',
  'new-key-after-lost-answer',
  'accepts-bearer',
  'trusts-any-certificate',
]
const SAMPLED_SCENARIOS = ['client-second-start', 'client-nonce', 'client-lost-answer', 'client-certificate']
const BROKEN = Object.entries(BROKEN_CLIENTS).filter(([fault]) => ALL || SAMPLE.includes(fault))
const only = ALL ? undefined : SAMPLED_SCENARIOS

const CORRECT = [
  ['the command provision', PROGRAMS.command, 'client'],
  ['the command provision with a given key', PROGRAMS.command, 'key'],
  ['a client with openid-client', PROGRAMS.openid, 'client'],
  ['a client on fetch alone', PROGRAMS.plain, 'client'],
  ['a client on fetch alone with a given key', PROGRAMS.plain, 'key'],
] as const

jest.setTimeout(300_000)

describe('the scenarios of check-client', () => {
  it.each(CORRECT.slice(0, ALL ? undefined : 1))('pass %s', async (_, program, supply) => {
    const failures = failuresOf(await checkProgram(program, { supply, only }))
    // With a given key, the issuer issues none that it could downgrade.
    const expected = supply === 'key' && ALL ? ['client-downgrade'] : []
    expect({ failures, ids: Object.keys(failures) }).toMatchObject({ ids: expected })
  })

  it.each(BROKEN)('find %s in %s alone', async (fault, scenario) => {
    const plan = { only: ALL ? undefined : [scenario], timeoutSeconds: 40 }
    const failures = failuresOf(await checkProgram([...PROGRAMS.plain, fault], plan))
    expect({ failures, ids: Object.keys(failures) }).toMatchObject({ ids: [scenario] })
  })

  it('have at least two dozen broken clients, and one for nearly each scenario', () => {
    expect(Object.keys(BROKEN_CLIENTS).length).toBeGreaterThanOrEqual(24)
  })
})
