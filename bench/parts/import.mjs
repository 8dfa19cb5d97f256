/** Bound 8: what it costs to import the package, against the packages that it needs at run time. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { alternate, line, ratios } from '../measure.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const { name } = JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8'))
/** The packages that the main entry loads. Express is a peer dependency, so every user has it. */
const NEEDED = ['express', 'express-rate-limit', 'helmet', 'jsonwebtoken']

export async function run() {
  const costs = await alternate(
    { rounds: 15 },
    { ours: () => importing([...NEEDED, name]), needed: () => importing(NEEDED) },
  )
  const milliseconds = (list) => list.map((microseconds) => microseconds / 1_000)
  return [
    line('import with dependencies / dependencies only', 'x', ratios(costs.ours, costs.needed), {
      most: 1.15,
    }),
    line('import with dependencies', 'ms', milliseconds(costs.ours)),
    line('files of other entry points that the import loads', 'files', [await otherFiles()], { most: 0 }),
  ]
}

/** The processor time in microseconds that a new process takes to import packages. */
async function importing(packages) {
  const script = `
    const before = process.cpuUsage()
    for (const one of ${JSON.stringify(packages)}) require(one)
    const { user, system } = process.cpuUsage(before)
    console.log(user + system)`
  return Number(await printedBy(script))
}

async function otherFiles() {
  const script = `
    require(${JSON.stringify(name)})
    const other = /dist.(?:stores.(?:redis|keyv)|testing)./
    console.log(Object.keys(require.cache).filter((file) => other.test(file)).length)`
  return Number(await printedBy(script))
}

/** Runs in the root of the checkout, where the package finds itself and its own copies of the dependencies. */
async function printedBy(script) {
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: ROOT })
  return stdout
}
