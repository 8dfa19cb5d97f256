import { junitReport } from '../../lib/checks/report/documents.js'
import { Report } from '../../lib/cli/report.js'

const SECRET = `Zm9v/YmFy"&<\\'Zm9vYmFy`

function reportOf(isTerminal: boolean): { readonly report: Report; readonly lines: string[] } {
  const lines: string[] = []
  const report = new Report((line) => lines.push(line), isTerminal)
  report.hide(SECRET)
  return { report, lines }
}

it.each([true, false])(
  'an error of a server that quotes a secret is written without it: %s',
  (isTerminal) => {
    const { report, lines } = reportOf(isTerminal)
    report.error({ code: 'server_error', message: `wrong login ${JSON.stringify(SECRET)}` })
    expect(lines.join('')).toContain('wrong login')
    expect(lines.join('')).toContain('(a secret)')
    expect(lines.join('')).not.toContain('YmFy')
  },
)

it('results have no secret in any of their texts, whatever a document escapes later', () => {
  const { report } = reportOf(true)
  const facts = { details: [{ line: `a ${SECRET}` }], seconds: 1, actual: JSON.stringify({ a: SECRET }) }
  expect(report.redactAll(facts)).toEqual({
    details: [{ line: 'a (a secret)' }],
    seconds: 1,
    actual: '{"a":"(a secret)"}',
  })
})

it('a document in XML is redacted too', () => {
  const { report } = reportOf(true)
  const verdict = { exitCode: 0, sentence: '', counts: {}, stale: [] } as never
  const text = junitReport(
    { results: [], verdict, subject: SECRET },
    { help: '', expectedFailures: new Set() },
  )
  expect(report.redact(text)).toContain('name="(a secret)"')
})
