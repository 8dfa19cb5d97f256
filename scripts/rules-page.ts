/**
 * Compares the pages about rules, SIEMs and the administration with the code: `node scripts/run.mjs scripts/rules-page.ts`. With
 * `--write`, it writes the tables into the pages. Run it after each change of a rule or a mapping.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PAGES, pageFromCode, writePage } from './rules-page/pages'

async function main(): Promise<void> {
  const isWriting = process.argv.includes('--write')
  for (const page of PAGES) {
    if (isWriting) await writePage(page)
    else if (readFileSync(join(__dirname, '..', page), 'utf8') !== (await pageFromCode(page))) {
      console.error(`${page} differs from the code: run this again with --write`)
      process.exitCode = 1
    }
  }
}

void main()
