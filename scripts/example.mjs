/**
 * Runs an example: `npm run example NAME`. Prepares the checkout, installs what the example needs in its own folder,
 * and starts it. The example uses the package of this checkout.
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setUp } from './setup.mjs'
import { ROOT, runStep } from './step.mjs'

const EXAMPLES = join(ROOT, 'examples')
const names = readdirSync(EXAMPLES).filter((name) => existsSync(join(EXAMPLES, name, 'package.json')))
const name = process.argv[2]
if (!names.includes(name)) {
  console.error(`usage: npm run example NAME; the names are ${names.join(', ')}`)
  process.exit(2)
}

const { PORT } = process.env
const port = await portFor(PORT ?? 3000).catch(({ code }) => {
  if (PORT === undefined) return portFor(0)
  console.error(`PORT: cannot listen on ${PORT} (${code}). Set PORT to another port.`)
  process.exit(1)
})
setUp()
const cwd = join(EXAMPLES, name)
const shell = process.platform === 'win32' // where npm is a batch file
const install = ['npm', 'install', '--prefer-offline', '--no-package-lock', '--no-audit', '--no-fund']
runStep(`installing what ${name} needs`, install, { cwd, shell })
const env = { ...process.env, PORT: `${port}` }
const { status } = spawnSync('npm', ['start', '--silent'], { cwd, shell, stdio: 'inherit', env })
process.exitCode = status ?? 1

/** The wanted port, or any free one if it is 0. Rejects if it is not available. */
async function portFor(wanted) {
  const server = createServer().listen(wanted, 'localhost')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}
