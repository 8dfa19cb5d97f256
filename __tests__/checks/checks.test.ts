import { type Check, type CheckResult, failed, PASSED, skipped, warning } from '../../lib/checks/check'
import { jsonReport, junitReport } from '../../lib/checks/report/documents'
import { TerminalReport, wrap } from '../../lib/checks/report/terminal'
import { runChecks } from '../../lib/checks/run-checks'
import { type SelectionOptions, selectChecks } from '../../lib/checks/selection'
import { verdictOf } from '../../lib/checks/verdict'

const check = (id: string, run: Check<string>['run'], more: Partial<Check<string>> = {}): Check<string> => ({
  id,
  group: 'First group',
  title: `${id} is true`,
  fix: `Correct ${id}.`,
  ...more,
  run,
})
const fails = () =>
  failed({ actual: 'a "b" <c>', expected: 'd & e', request: 'curl https://a.example', secrets: '$A is a.' })
const CHECKS = [
  check('alpha', () => PASSED, { clause: 'RFC 6749 5.1' }),
  check('beta', fails, { clause: 'RFC 6749 5.1' }),
  check('gamma', () => warning({ actual: 'old' }), { group: 'Second group', needs: ['alpha'] }),
  check('delta', () => PASSED, { group: 'Second group', needs: ['beta'] }),
  check('epsilon', () => Promise.reject(new Error('broken\nsocket')), { group: 'Second group' }),
]

async function resultsOf(checks: readonly Check<string>[], options: SelectionOptions = {}, concurrency = 1) {
  const seen: CheckResult[] = []
  const results = await runChecks(checks, {
    context: 'the context',
    concurrency,
    selection: selectChecks(checks, options),
    signal: new AbortController().signal,
    onResult: (result) => seen.push(result),
  })
  expect(seen).toEqual(results)
  return results
}

const outcomes = (results: readonly CheckResult[]) =>
  Object.fromEntries(results.map(({ id, outcome }) => [id, outcome]))

describe('runChecks', () => {
  it('runs all checks in their order, and passes the context', async () => {
    const contexts: string[] = []
    const note = (context: string) => {
      contexts.push(context)
      return PASSED
    }
    const results = await resultsOf([check('one', note), check('two', note)])
    expect(results.map(({ id }) => id)).toEqual(['one', 'two'])
    expect(contexts).toEqual(['the context', 'the context'])
  })

  it('skips a check that needs another one, if that one failed', async () => {
    const results = await resultsOf(CHECKS)
    expect(outcomes(results)).toEqual({
      alpha: 'passed',
      beta: 'failed',
      gamma: 'warning',
      delta: 'skipped',
      epsilon: 'failed',
    })
    expect(results[3]).toMatchObject({ reason: 'needs beta, which failed' })
  })

  it('fails a check that throws, with one line', async () => {
    const [, , , , epsilon] = await resultsOf(CHECKS)
    expect(epsilon).toMatchObject({ actual: 'broken socket', expected: 'epsilon is true' })
  })

  it('fails a check that hangs, and aborts it', async () => {
    let isAborted = false
    const hang = (_: string, signal: AbortSignal) =>
      new Promise<never>(() => {
        signal.addEventListener('abort', () => {
          isAborted = true
        })
      })
    const [result] = await resultsOf([check('slow', hang, { timeoutSeconds: 0.01 })])
    expect(result).toMatchObject({ outcome: 'failed', actual: 'no result within 0.01 seconds' })
    expect(isAborted).toBe(true)
  })

  it('ends with the reason of its signal', async () => {
    const controller = new AbortController()
    const abort = () => {
      controller.abort(new Error('stopped'))
      return PASSED
    }
    const checks = [check('one', abort), check('two', fails)]
    const run = { context: '', selection: selectChecks(checks, {}), onResult: () => undefined }
    await expect(runChecks(checks, { ...run, signal: controller.signal })).rejects.toThrow('stopped')
  })
})

describe('runChecks with several checks at a time', () => {
  const endAfter = (milliseconds: number, note: () => void) => () =>
    new Promise<typeof PASSED>((resolve) =>
      setTimeout(() => {
        note()
        resolve(PASSED)
      }, milliseconds),
    )

  it('reports the results in the order of the checks', async () => {
    const ended: string[] = []
    const slow = check(
      'slow',
      endAfter(100, () => ended.push('slow')),
    )
    const fast = check(
      'fast',
      endAfter(0, () => ended.push('fast')),
    )
    const results = await resultsOf([slow, fast], {}, 2)
    expect(results.map(({ id }) => id)).toEqual(['slow', 'fast'])
    expect(ended).toEqual(['fast', 'slow'])
  })

  it('never runs more of them', async () => {
    let [running, most] = [0, 0]
    const count = async () => {
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setTimeout(resolve, 10))
      running -= 1
      return PASSED
    }
    await resultsOf(
      ['a', 'b', 'c', 'd', 'e'].map((id) => check(id, count)),
      {},
      2,
    )
    expect(most).toBe(2)
  })

  it('waits for the checks that a check needs', async () => {
    const results = await resultsOf(CHECKS, {}, 5)
    expect(results[3]).toMatchObject({ outcome: 'skipped', reason: 'needs beta, which failed' })
  })

  it('ends with the reason of its signal, after the checks have stopped', async () => {
    const controller = new AbortController()
    let isStopped = false
    const hang = (_: string, signal: AbortSignal) =>
      new Promise<typeof PASSED>((resolve) =>
        signal.addEventListener('abort', () =>
          setTimeout(() => {
            isStopped = true
            resolve(PASSED)
          }, 20),
        ),
      )
    const abort = () => {
      controller.abort(new Error('stopped'))
      return PASSED
    }
    const checks = [check('one', hang), check('two', abort)]
    const run = {
      context: '',
      concurrency: 2,
      selection: selectChecks(checks, {}),
      onResult: () => undefined,
    }
    await expect(runChecks(checks, { ...run, signal: controller.signal })).rejects.toThrow('stopped')
    expect(isStopped).toBe(true)
  })
})

describe('selectChecks', () => {
  it('runs only some checks and those that they need, and reports the needed ones if they fail', async () => {
    expect(outcomes(await resultsOf(CHECKS, { only: ['gamma'] }))).toEqual({ gamma: 'warning' })
    expect(outcomes(await resultsOf(CHECKS, { only: ['delta'] }))).toEqual({
      beta: 'failed',
      delta: 'skipped',
    })
  })

  it('selects the checks of a group', async () => {
    expect(Object.keys(outcomes(await resultsOf(CHECKS, { only: ['first-group'] })))).toEqual([
      'alpha',
      'beta',
    ])
  })

  it('reports a check that --skip names as skipped', async () => {
    const results = await resultsOf(CHECKS, { skip: ['alpha'] })
    expect(results[0]).toMatchObject({ outcome: 'skipped', reason: '--skip names it' })
    expect(results[2]).toMatchObject({ outcome: 'skipped', reason: 'needs alpha, which was skipped' })
  })

  it('rejects an unknown name, and suggests the right one', () => {
    expect(() => selectChecks(CHECKS, { skip: ['alhpa'] })).toThrow(
      'unknown check "alhpa"; did you mean "alpha"?',
    )
    expect(() => selectChecks(CHECKS, { only: ['no-such-check'] })).toThrow(
      'unknown check "no-such-check"; expected one of: alpha, first-group, beta, gamma, second-group, delta, epsilon',
    )
  })
})

describe('verdictOf', () => {
  it.each([
    ['a failure', {}, 1, 'Not passed: 2 checks failed: beta, epsilon (1 passed, 1 warning, 1 skipped).'],
    [
      'failures that are expected',
      { expectedFailures: new Set(['beta', 'epsilon']) },
      0,
      'All checks that ran passed (1 passed, 2 failed as expected, 1 warning, 1 skipped).',
    ],
    [
      'too many warnings',
      { maxWarnings: 0, expectedFailures: new Set(['beta', 'epsilon']) },
      1,
      'Not passed: 1 warning, but at most 0 allowed (1 passed, 2 failed as expected, 1 warning, 1 skipped).',
    ],
    [
      'too many skipped checks',
      { maxSkipped: 0, expectedFailures: new Set(['beta', 'epsilon']) },
      1,
      'Not passed: 1 skipped check, but at most 0 allowed (1 passed, 2 failed as expected, 1 warning, 1 skipped).',
    ],
    [
      'a stale expected failure',
      { expectedFailures: new Set(['alpha', 'beta', 'epsilon']) },
      1,
      'Not passed: expected to fail, but passed: alpha (1 passed, 2 failed as expected, 1 warning, 1 skipped).',
    ],
  ])('decides on %s', async (_, options, exitCode, sentence) => {
    expect(verdictOf(await resultsOf(CHECKS), options)).toMatchObject({ exitCode, sentence })
  })

  it('is 0 if all checks passed, and 2 if no check ran', async () => {
    expect(verdictOf(await resultsOf(CHECKS, { only: ['alpha'] })).exitCode).toBe(0)
    expect(verdictOf(await resultsOf(CHECKS, { only: ['alpha'], skip: ['alpha'] }))).toMatchObject({
      exitCode: 2,
      sentence: 'No check ran.',
    })
    expect(verdictOf([]).exitCode).toBe(2)
  })
})

const LINKS = { help: 'docs/troubleshooting.md', expectedFailures: new Set<string>() }

describe('the reports', () => {
  it('write groups, marks and facts for a terminal of 80 columns', async () => {
    const report = new TerminalReport({ screen: { columns: 80, hasColours: false }, ...LINKS })
    const results = await resultsOf(CHECKS)
    const text = results.map((result) => report.result(result)).join('') + report.verdict(verdictOf(results))
    expect(text.split('\n')).toEqual([
      'First group',
      '√ alpha is true',
      '× beta is true',
      '  actual    a "b" <c>',
      '  expected  d & e',
      '  clause    RFC 6749 5.1',
      '  fix       Correct beta.',
      '  help      docs/troubleshooting.md#beta',
      '  request   curl https://a.example',
      '  secrets   $A is a.',
      '',
      'Second group',
      '‼ gamma is true',
      '  actual    old',
      '  fix       Correct gamma.',
      '  help      docs/troubleshooting.md#gamma',
      '- delta is true',
      '  skipped   needs beta, which failed',
      '× epsilon is true',
      '  actual    broken socket',
      '  expected  epsilon is true',
      '  fix       Correct epsilon.',
      '  help      docs/troubleshooting.md#epsilon',
      '',
      'Not passed: 2 checks failed: beta, epsilon (1 passed, 1 warning, 1 skipped).',
      '',
    ])
  })

  it('count the checks that are skipped for the same reason as the one before', async () => {
    const report = new TerminalReport({ screen: { columns: 80, hasColours: false }, ...LINKS })
    const skip = (id: string, reason = 'no network') => ({
      ...check(id, fails),
      ...skipped(reason),
      durationMs: 0,
    })
    const other = { ...skip('three'), group: 'Second group' }
    const last = { ...skip('four', 'no time'), group: 'Second group' }
    expect([skip('one'), skip('two'), other, last].map((one) => report.result(one))).toEqual([
      'First group\n- one is true\n  skipped   no network\n',
      '',
      '',
      '- 2 more checks are skipped for this reason\n\nSecond group\n- four is true\n  skipped   no time\n',
    ])
    report.result({ ...last, id: 'five' })
    expect(report.note('The end.')).toBe('- 1 more check is skipped for this reason\n\nThe end.\n')
  })

  it('name the check at the beginning of a chain that is skipped', async () => {
    const chain = [check('first', fails), check('second', () => PASSED, { needs: ['first'] })]
    const results = await resultsOf([...chain, check('third', () => PASSED, { needs: ['second'] })])
    expect(results.map(({ reason }) => reason)).toEqual([
      undefined,
      'needs first, which failed',
      'needs first, which failed',
    ])
  })

  it('break lines between words, and remove control characters', () => {
    expect(wrap('one two three', { width: 7 })).toEqual(['one two', 'three'])
    expect(wrap('a-very-long-word b', { width: 6 })).toEqual(['a-very', '-long-', 'word b'])
    expect(wrap('a\u001b[2Jb\nc', { width: 40 })).toEqual(['a [2Jb c'])
  })

  it('use colours only on a screen that has them', async () => {
    const [result] = await resultsOf([check('one', fails)])
    const write = (hasColours: boolean) =>
      new TerminalReport({ screen: { columns: 80, hasColours }, ...LINKS }).result(result as CheckResult)
    expect(write(true)).toContain('\u001b[31m×\u001b[39m one is true')
    expect(write(false)).not.toContain('\u001b')
  })

  it('have everything as JSON', async () => {
    const results = await resultsOf(CHECKS)
    const run = { results, verdict: verdictOf(results), subject: 'https://a.example' }
    const { checks, ...rest } = JSON.parse(jsonReport(run, LINKS))
    expect(rest).toEqual({
      subject: 'https://a.example',
      passed: false,
      sentence: 'Not passed: 2 checks failed: beta, epsilon (1 passed, 1 warning, 1 skipped).',
      counts: { passed: 1, warning: 1, failed: 2, expected: 0, skipped: 1 },
      stale: [],
    })
    expect(checks[1]).toEqual({
      id: 'beta',
      group: 'First group',
      title: 'beta is true',
      clause: 'RFC 6749 5.1',
      fix: 'Correct beta.',
      outcome: 'failed',
      isExpected: false,
      actual: 'a "b" <c>',
      expected: 'd & e',
      request: 'curl https://a.example',
      secrets: '$A is a.',
      durationMs: expect.any(Number),
      help: 'docs/troubleshooting.md#beta',
    })
  })

  it('have failures, skips and details as JUnit XML', async () => {
    const results = await resultsOf([...CHECKS, check('zeta', () => failed({ actual: '\u0000\ud800"' }))])
    const run = { results, verdict: verdictOf(results), subject: 'a & b' }
    const xml = junitReport(run, { ...LINKS, expectedFailures: new Set(['epsilon']) }).replaceAll(
      / time="[\d.]+"/g,
      '',
    )
    expect(xml).toContain('<testsuites name="a &amp; b" tests="6" failures="2">')
    expect(xml).toContain('<testsuite name="Second group" tests="3" failures="0" skipped="1">')
    expect(xml).toContain('<testcase name="alpha is true" classname="alpha"/>')
    expect(xml).toContain('<failure message="a &quot;b&quot; &lt;c&gt;">actual: a')
    expect(xml).toContain('<skipped message="needs beta, which failed"/>')
    expect(xml).toContain('<system-out>actual: broken socket')
    expect(xml).toContain('<failure message="\ufffd\ufffd&quot;">')
  })
})
