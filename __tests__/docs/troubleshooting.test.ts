import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { REASONS } from '../../lib/base/errors.js'
import { objectEntries, ROOT, readText } from './markdown'

const PAGE = 'docs/troubleshooting.md'

/** The sections of the page: a code of an error at level 2, and the reasons below it at level 3. */
const sections = readText(PAGE)
  .split(/^(?=##+ )/m)
  .map((text) => ({
    level: /^#+/.exec(text)?.[0].length,
    heading: /^#+ (.+)$/m.exec(text)?.[1] ?? '',
    text,
  }))

/** The reasons of the page, with the code under which they stand. */
function reasonsOfPage(): Record<string, string> {
  const found: Record<string, string> = {}
  let code = ''
  for (const { level, heading } of sections) {
    if (level === 2) code = heading
    else if (level === 3 && code !== 'Warnings') found[heading] = code
  }
  return found
}

describe(PAGE, () => {
  it('has one section for each reason, under the code of its answers', () => {
    expect(reasonsOfPage()).toEqual(REASONS)
    expect(sections.filter(({ heading }) => heading in REASONS)).toHaveLength(Object.keys(REASONS).length)
  })

  it('says for each reason what you see, the cause and the fix', () => {
    const incomplete = sections.filter(
      ({ level, text }) =>
        level === 3 && !/^- \*\*You see:\*\*[\s\S]*^- \*\*Cause:\*\*[\s\S]*^- \*\*Fix:\*\*/m.test(text),
    )
    expect(incomplete.map(({ heading }) => heading)).toEqual([])
  })

  it('says with which status and code the server answers', () => {
    const statuses = objectEntries('lib/http/refusal.ts', 'STATUS')
    const particular = objectEntries('lib/http/refusal.ts', 'STATUS_OF_REASON')
    const wrong = Object.entries(REASONS).filter(([reason, code]) => {
      const { text = '' } = sections.find(({ heading }) => heading === reason) ?? {}
      const [symptom = ''] = /\*\*You see:\*\*[^\n]*/.exec(text) ?? []
      const isNamed = reason === 'credentials_missing' || symptom.includes(`\`${code}\``)
      return !isNamed || !symptom.includes(particular[reason] ?? statuses[code] ?? '')
    })
    expect(wrong.map(([reason]) => reason)).toEqual([])
  })

  it('has an anchor for each warning that the library prints', () => {
    const anchors = [...readText(PAGE).matchAll(/<a id="(EPK_\w+)">/g)].map(([, code]) => code)
    expect(anchors.sort()).toEqual(warningCodes().sort())
  })
})

function warningCodes(): string[] {
  const sources = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' })
  const texts = sources.filter((path) => path.endsWith('.ts')).map((path) => readText(`lib/${path}`))
  return [...new Set(texts.flatMap((text) => text.match(/(?<=')EPK_\w+(?=')/g) ?? []))]
}
