import { ALL } from '../../support/scale.js'
import { BROKEN_CLIENTS } from './broken-clients.js'
import { checkProgram, failuresOf, PROGRAMS } from './check-program.js'

/** `npm test` runs these only, in one scenario each. `npm run test:all` runs all of them in all scenarios. */
const SAMPLE = [
  'key-in-arguments',
  'ignores-nonce',
  'new-key-after-lost-answer',
  'accepts-bearer',
  'trusts-any-certificate',
]

/** Tests that only the right scenario finds each broken client of a group. */
export function testBrokenClients(group: keyof typeof BROKEN_CLIENTS): void {
  const clients = Object.entries(BROKEN_CLIENTS[group])
  const chosen = clients.filter(([fault]) => ALL || SAMPLE.includes(fault))
  jest.setTimeout(300_000)
  it.each(chosen)('the client %s in %s alone', async (fault, scenario) => {
    const plan = { only: ALL ? undefined : [scenario], timeoutSeconds: 40 }
    const failures = failuresOf(await checkProgram([...PROGRAMS.plain, fault], plan))
    expect({ failures, ids: Object.keys(failures) }).toMatchObject({ ids: [scenario] })
  })
}
