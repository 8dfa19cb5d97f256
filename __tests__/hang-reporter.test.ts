import { join } from 'node:path'
import { runProgram } from './support/run-program'

const REPORTER = join(__dirname, '../scripts/hang-reporter.cjs')

/** A run with the given events, in which nothing happens for a second after them. */
function runWith(events: string) {
  const script = `
    const Reporter = require(${JSON.stringify(REPORTER)})
    const reporter = new Reporter({}, { minutes: 0.5 / 60 })
    ${events}
    setTimeout(() => {}, 2000)`
  return runProgram(process.execPath, ['-e', script])
}

describe('a run of the tests', () => {
  it('ends if no test file ends for long, and names the files that run', () => {
    const { status, stderr } = runWith(`
      for (const path of ['done.test.ts', 'hung.test.ts']) reporter.onTestFileStart({ path })
      reporter.onTestFileResult({ path: 'done.test.ts' })`)
    expect(status).toBe(1)
    expect(stderr).toMatch(/^No test file has ended for .* minutes. These are running:\n {2}hung\.test\.ts\n/)
    expect(stderr).toContain(process.execPath)
  })

  it('goes on as long as test files end', () => {
    const { status, stderr } = runWith(`
      const ending = setInterval(() => reporter.onTestFileResult({ path: 'a.test.ts' }), 20)
      setTimeout(() => process.exit(0), 600)`)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })
})
