import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withPart } from '../page-part'
import { endpointTable, objectTables } from './api-tables'
import { commandSections, policySections, policyTable } from './command-tables'
import { ruleSections, ruleTable } from './render'
import { ecsTable, ocsfTable } from './siem-tables'

const ROOT = join(__dirname, '..', '..')

/** The parts of pages that are made from tables in the code, by page and name. */
const PARTS: Readonly<Record<string, Readonly<Record<string, () => string | Promise<string>>>>> = {
  'docs/operations/rules.md': {
    'table of rules': ruleTable,
    'evidence rules': () => ruleSections('evidence'),
    'statistical rules': () => ruleSections('statistical'),
  },
  'docs/reference/administration.md': {
    'reading endpoints': () => endpointTable('Read'),
    'acting endpoints': () => endpointTable('Act'),
    objects: objectTables,
  },
  'docs/reference/command-line.md': { commands: commandSections },
  'docs/reference/policy-rules.md': { 'table of policy rules': policyTable, 'policy rules': policySections },
  'docs/guides/siem.md': { 'OCSF table': ocsfTable, 'ECS table': ecsTable },
}

export const PAGES = Object.keys(PARTS)

/** A page as it must be: the text as it is, with the parts from the code. */
export async function pageFromCode(page: string): Promise<string> {
  let text = readFileSync(join(ROOT, page), 'utf8')
  for (const [name, render] of Object.entries(PARTS[page] ?? {}))
    text = withPart(text, { name, text: await render() })
  return text
}

export async function writePage(page: string): Promise<void> {
  writeFileSync(join(ROOT, page), await pageFromCode(page))
}
