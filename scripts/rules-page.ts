/**
 * Compares the tables and sections that come from the code with the pages in `PAGES`:
 * `node scripts/run.mjs scripts/rules-page.ts`. With `--write`, it writes them into the pages.
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
