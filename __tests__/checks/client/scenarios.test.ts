import { clientChecks } from '../../../lib/checks/client/client-checks'
import { ALL } from '../../support/scale'
import { BROKEN_CLIENTS } from './broken-clients'
import { checkProgram, failuresOf, PROGRAMS } from './check-program'
import { expectFound } from './scenario-tests'

/** `npm test` checks one client in these scenarios, which cover the most code. */
const SAMPLED = ['client-second-start', 'client-nonce', 'client-lost-answer', 'client-certificate']
const only = ALL ? undefined : SAMPLED

const CORRECT = [
  ['the command provision', PROGRAMS.command, 'client'],
  ['the command provision with a given key', PROGRAMS.command, 'key'],
  ['a client with openid-client', PROGRAMS.openid, 'client'],
  ['a client on fetch alone', PROGRAMS.plain, 'client'],
  ['a client on fetch alone with a given key', PROGRAMS.plain, 'key'],
] as const

const SCENARIOS = Object.fromEntries(Object.values(BROKEN_CLIENTS).flatMap((group) => Object.entries(group)))

/** Broken clients of each group. The others have suites of their own, which only `npm run test:all` runs. */
const SOME_BROKEN = (
  ALL
    ? ['key-in-arguments', 'new-key-after-lost-answer', 'trusts-any-certificate']
    : ['new-key-after-lost-answer']
).map((fault) => [fault, SCENARIOS[fault] ?? ''] as const)

jest.setTimeout(300_000)

describe('the scenarios of check-client', () => {
  // They run together, since each waits for processes. The tests below them begin when all of them have ended.
  it.concurrent.each(SOME_BROKEN)('find the client %s in %s', (fault, scenario) =>
    expectFound(fault, { scenario, only: [scenario] }),
  )

  it.each(CORRECT.slice(0, ALL ? undefined : 1))('pass %s', async (_, program, supply) => {
    const failures = failuresOf(await checkProgram(program, { supply, only }))
    // With a given key, the issuer issues none that it could downgrade.
    const expected = supply === 'key' && ALL ? ['client-downgrade'] : []
    expect({ failures, ids: Object.keys(failures) }).toMatchObject({ ids: expected })
  })

  it('have at least two dozen broken clients, and one or more for each scenario', () => {
    const found = Object.values(BROKEN_CLIENTS).flatMap((group) => Object.values(group))
    const ids = clientChecks(60).map(({ id }) => id)
    expect(found.length).toBeGreaterThanOrEqual(24)
    // The first one fails only if nothing works, and the last one if the client cannot use TLS.
    expect(ids.filter((id) => !found.includes(id))).toEqual(['client-healthy', 'client-tls'])
  })
})
