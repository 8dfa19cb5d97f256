import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'

const PAGE = join(__dirname, '../docs/operations.md')
const BETWEEN = /(<!-- faults: begin -->\n)[\s\S]*(<!-- faults: end -->)/

/** Writes the numbers of a run, and where they come from, to docs/operations.md. */
export function document(numbers: string, { seconds, seed }: { seconds: number; seed: number }): void {
  const page = readFileSync(PAGE, 'utf8')
  if (!BETWEEN.test(page)) throw new Error(`${PAGE} has no place for the numbers`)
  const [, redis = '?'] =
    /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' })) ?? []
  const [, , load = 0] = loadavg()
  const where =
    `A run of ${seconds.toFixed(0)} seconds with seed ${seed}: Redis ${redis}, Node ${process.versions.node}, ` +
    `${availableParallelism()} cores for Redis, the processes, and who asks them; load average ${load.toFixed(1)}, ` +
    'whatever else the machine had to do included.'
  writeFileSync(
    PAGE,
    page.replace(BETWEEN, (_all, begin, end) => `${begin}${where}\n\n${numbers}\n${end}`),
  )
}
