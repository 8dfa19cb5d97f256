import { clientChecks } from '../../lib/checks/client/client-checks'
import { readText } from './markdown'

const PAGE = 'docs/reference/checks.md'
const flat = (text: string) => text.replace(/\s+/g, ' ')

describe(PAGE, () => {
  const page = readText(PAGE)

  it.each(clientChecks(60).map(({ id, title, fix }) => [id, title, fix]))(
    'says what is expected, the cause and the fix for %s',
    (id, title, fix) => {
      const [, section = ''] = page.split(`\n### ${id}\n`)
      const [own = ''] = section.split('\n##')
      expect(own).toContain(`- **Expected:** ${title}\n`)
      expect(own).toMatch(/- \*\*Cause:\*\* ./)
      expect(flat(own)).toContain(`- **Fix:** ${fix}`)
    },
  )
})

describe('docs/guides/check-a-client.md', () => {
  it('shows the run of a correct client', () => {
    const page = flat(readText('docs/guides/check-a-client.md'))
    const checks = clientChecks(60)
    expect(checks.filter(({ title }) => !page.includes(`√ ${title}`))).toEqual([])
    expect(page).toContain(`All checks passed (${checks.length} passed).`)
  })
})
