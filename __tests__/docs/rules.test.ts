import { generateKeyPairSync } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type * as library from '../../lib/index.js'
import { RESPONSES } from '../../lib/monitoring/rules/rule.js'
import { RULES } from '../../lib/monitoring/rules/rules.js'
import { PAGES, pageFromCode } from '../../scripts/rules-page/pages'
import {
  codeBlocks,
  codeIn,
  codeUnder,
  interfaceMembers,
  ROOT,
  readText,
  section,
  tableRows,
} from './markdown'
import { runCode } from './run-code'

const PAGE = 'docs/operations/rules.md'
const rules = Object.values(RULES)

describe.each(PAGES)('%s', (page) => {
  it('has the tables of the code: else run `node scripts/run.mjs scripts/rules-page.ts --write`', async () => {
    expect(readText(page)).toBe(await pageFromCode(page))
  })
})

/** A text without its links and its code marks. */
function plain(markdown: string): string {
  return markdown.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '')
}

describe('the page about rules', () => {
  it('has a section for each rule, and for no other', () => {
    const headings = [...readText(PAGE).matchAll(/^### (\w+)$/gm)].map(([, id]) => id)
    expect(headings.filter((id) => id !== 'Canaries')).toEqual(rules.map(({ id }) => id))
  })

  it.each(rules)('says about $id all that the table of rules says', (rule) => {
    const text = section(PAGE, rule.id)
    const { title, severity, falsePositives, signal, threshold } = rule
    expect(text).toContain(
      `**${title}.** Severity: ${severity}. Evidence: \`${rule.evidence}\`. Response: \``,
    )
    expect(text).toContain(`- **Harmless cause:** ${falsePositives}\n`)
    expect(text).toContain(signal.condition ?? '')
    expect(codeIn(text)).toEqual(
      expect.arrayContaining([...signal.events, ...(signal.reasons ?? []), ...rule.responses]),
    )
    const amount = threshold.count === 1 ? 'one event is enough' : `${threshold.count} matching events`
    expect(text).toContain(amount)
    for (const technique of rule.techniques)
      expect(text).toContain(
        `[${technique}](https://attack.mitre.org/techniques/${technique.replace('.', '/')}/)`,
      )
    const steps = [...text.matchAll(/^\d+\. (.+)$/gm)].map(([, step = '']) => plain(step))
    expect(steps).toEqual(rule.runbook.map(plain))
  })

  it.each([
    ['client_guessing', '10 matching events of the same client within an hour'],
    ['source_guessing', '100 matching events from the same address within an hour'],
    ['registration_burst', '30 matching events of the same client within 10 minutes'],
    ['dead_key', '3 matching events of the same client within an hour'],
    ['forged_key', 'one event is enough. The finding is about the whole deployment (all your processes).'],
  ])('says the threshold of %s in words', (id, words) => {
    expect(section(PAGE, id)).toContain(words)
  })

  it('has a row for each rule in the table', () => {
    const rows = tableRows(PAGE, 'All rules').map(([id = '', , severity]) => [codeIn(id)[0], severity])
    expect(rows).toEqual(rules.map(({ id, severity }) => [id, severity]))
  })

  it('says which responses need which evidence', () => {
    const rows = tableRows(PAGE, 'Evidence and responses')
    expect(rows.map(([name = '']) => codeIn(name)[0]).sort()).toEqual([...RESPONSES].sort())
    const open = rows.filter(([, , evidence = '']) => evidence.includes('unbound'))
    expect(open.map(([name]) => name)).toEqual(['`report`'])
  })
})

describe('the buttons of the operator', () => {
  it('have the names that the page and the runbooks say', () => {
    const folder = 'lib/administration/page'
    const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    const views = files.filter((file) => file.endsWith('.mjs')).map((file) => readText(`${folder}/${file}`))
    const buttons = [...views.join().matchAll(/button\('([^']+)'/g)].map(([, label]) => label)
    const steps = rules.flatMap(({ runbook }) => runbook)
    const named = [
      ...steps.flatMap((step) => [...step.matchAll(/button "([^"]+)"/g)]),
      ...tableRows(PAGE, 'Calls that you need').flatMap(([, where = '']) => [
        ...where.matchAll(/"([^"]+)"/g),
      ]),
    ].map(([, label]) => label)
    expect(named.length).toBeGreaterThan(8)
    expect(named.filter((label) => !buttons.includes(label))).toEqual([])
  })
})

describe('the example of a finding', () => {
  const [{ code = '{}' } = {}] = codeBlocks(PAGE).filter(({ language }) => language === 'text')
  const { data: example = {}, ...body } = JSON.parse(code)

  it('is in the body of a webhook', () => {
    expect(body).toEqual({ type: example.type, timestamp: example.at })
  })

  it('has the members of the event', () => {
    const { id, until, ...members } = Object.fromEntries(
      interfaceMembers('lib/ports/monitoring-store.ts', 'Finding').map((name) => [name, true]),
    )
    const envelope = ['type', 'code', 'at', 'findingId']
    expect(Object.keys(example).sort()).toEqual([...envelope, ...Object.keys(members)].sort())
  })

  it('is what its rule finds, at the times that it says', () => {
    const { severity, evidence, responses, signal } = RULES.many_networks
    expect(example).toMatchObject({ rule: 'many_networks', severity, evidence, actions: responses })
    expect(example.code).toBe('finding.opened:many_networks')
    expect(example.findingId).toMatch(
      new RegExp(`^many_networks\\.${Math.floor(example.firstAt / 3_600)}\\.[\\w-]{16}$`),
    )
    const [time = '', type] = example.samples[0].split(' ')
    expect(signal.events).toEqual([type])
    expect(Math.floor(Date.parse(time) / 1_000)).toBe(example.lastAt)
    expect(Date.parse(example.at)).toBeGreaterThan(Date.parse(time))
    expect(section(PAGE, 'Example')).toContain(time.slice(11, 19))
  })

  it('explains each member', () => {
    const explained = tableRows(PAGE, 'Example').flatMap(([name = '']) => codeIn(name))
    expect(explained.sort()).toEqual(
      Object.keys(example)
        .filter((name) => name !== 'type' && name !== 'at')
        .sort(),
    )
  })
})

describe('the code of the page', () => {
  it('is options that the library accepts', () => {
    for (const name of ['FLEET_SECRET', 'CANARY_SECRET']) process.env[name] = name.repeat(3)
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    process.env['SIGNING_KEY'] = String(privateKey.export({ format: 'pem', type: 'pkcs8' }))
    const { keys } = runCode<{ keys: library.ProvisioningKeys }>(codeUnder(PAGE, 'Change the rules'))
    expect(keys.findings).toBeInstanceOf(Function)
  })

  it('calls functions that exist', () => {
    const calls = new Set([...readText(PAGE).matchAll(/keys\.(\w+)\(/g)].map(([, name = '']) => name))
    const operations = ['lib/operations/operations.ts', 'lib/operations/monitoring-operations.ts']
    const sources = operations.map(readText).join('\n')
    expect([...calls].filter((name) => !new RegExp(`^  ${name}\\(`, 'm').test(sources))).toEqual([])
  })
})
