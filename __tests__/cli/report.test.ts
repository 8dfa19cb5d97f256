import { jsonReport, junitReport } from '../../lib/checks/report/documents.js'
import { printResult } from '../../lib/cli/command.js'
import { Report } from '../../lib/cli/report.js'
import { publicJson } from '../../lib/cli/result.js'

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

/** Terminals obey C1 controls too. The last character is outside of the BMP. */
const CONTROLS = 'a\u001b[2J\u009b2J\u202e\u2028\u007f\u{e0001}'

it.each<[string, (print: (text: string) => void) => unknown]>([
  ['an error', (print) => new Report(print, false).error({ code: 'failed', message: CONTROLS })],
  [
    'a result',
    (print) => printResult([], { text: CONTROLS }, { isTerminal: false, print: async (text) => print(text) }),
  ],
  [
    'the answer of an issuer',
    (print) => {
      const device = {
        issuer: '',
        action: 'token',
        clientId: CONTROLS,
        thumbprint: '',
        privateKey: undefined,
      } as const
      print(publicJson({ ...device, answer: { text: CONTROLS } }, (text) => text))
    },
  ],
  [
    'the results of checks',
    (print) => {
      const verdict = { exitCode: 0, sentence: CONTROLS, counts: {}, stale: [] } as never
      print(
        jsonReport({ results: [], verdict, subject: CONTROLS }, { help: '', expectedFailures: new Set() }),
      )
    },
  ],
])('%s in JSON keeps its text, and sends no control character to a terminal', (_, write) => {
  let printed = ''
  write((text) => {
    printed += text
  })
  expect(printed.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u)
  expect(Object.values(JSON.parse(printed))).toContain(CONTROLS)
})
