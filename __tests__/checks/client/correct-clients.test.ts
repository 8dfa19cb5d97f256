import { clientChecks } from '../../../lib/checks/client/client-checks'
import { ALL } from '../../support/scale'
import { BROKEN_CLIENTS } from './broken-clients'
import { checkProgram, failuresOf, PROGRAMS } from './check-program'

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

jest.setTimeout(300_000)

describe('the scenarios of check-client', () => {
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
