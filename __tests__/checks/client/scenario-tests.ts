import { BROKEN_CLIENTS } from './broken-clients.js'
import { checkProgram, failuresOf, PROGRAMS } from './check-program.js'

/** Tests that only the right scenario finds each broken client of a group. */
export function testBrokenClients(group: keyof typeof BROKEN_CLIENTS): void {
  jest.setTimeout(300_000)
  it.each(Object.entries(BROKEN_CLIENTS[group]))('the client %s in %s alone', async (fault, scenario) => {
    await expectFound(fault, { scenario })
  })
}

/** Expects that a scenario finds a broken client, and that no other scenario in `only` does. */
export async function expectFound(
  fault: string,
  { scenario, only }: { readonly scenario: string; readonly only?: readonly string[] },
): Promise<void> {
  const failures = failuresOf(await checkProgram([...PROGRAMS.plain, fault], { only, timeoutSeconds: 40 }))
  expect({ failures, ids: Object.keys(failures) }).toMatchObject({ ids: [scenario] })
}
