import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { oncePerRun } from './support/once-per-run'
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

  it('has no warning of Node about its configuration', () => {
    const root = join(__dirname, '..')
    for (const name of ['jest.config.ts', 'jest.all.config.ts']) {
      const program = [join(root, 'node_modules/jest/bin/jest.js'), '-c', name, '--showConfig']
      const { status, stdout, stderr } = runProgram(process.execPath, program, { cwd: root })
      expect([status, JSON.parse(stdout).configs.length, stderr]).toEqual([0, 2, ''])
    }
  })
})

describe('work that the workers of a run share', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'runs-'))
  })

  afterEach(() => rmSync(folder, { recursive: true }))

  it('is done once, and everyone who asks gets its result', async () => {
    let times = 0
    const work = () => Promise.resolve({ times: ++times })
    const together = await Promise.all([1, 2, 3].map(() => oncePerRun('count', work, folder)))
    const later = await oncePerRun('count', work, folder)
    expect([...together, later]).toEqual(Array(4).fill({ times: 1 }))
  })

  it('is not repeated if it fails: everyone gets the error', async () => {
    const fail = () => Promise.reject(new Error('npm pack failed'))
    const all = await Promise.allSettled([1, 2].map(() => oncePerRun('fail', fail, folder)))
    expect(all.map((one) => one.status === 'rejected' && one.reason.message)).toEqual(
      Array(2).fill('npm pack failed'),
    )
  })

  it('fails if the worker that does it has ended, and nobody waits', async () => {
    const { stdout } = runProgram(process.execPath, ['-p', 'process.pid'])
    symlinkSync(stdout.trim(), join(folder, 'pack.owner'))
    await expect(oncePerRun('pack', () => 1, folder)).rejects.toThrow('a worker ended before "pack" was done')
  })
})
