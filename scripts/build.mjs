/**
 * Builds `dist` from the entries that package.json exports: one CommonJS implementation, and for each entry an ESM
 * wrapper around it, so that classes and state are the same however the package is loaded.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const require = createRequire(import.meta.url)

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const entries = Object.entries(manifest.exports)
  .filter(([, target]) => typeof target !== 'string')
  .map(([subpath, target]) => readEntry(subpath, target))
  // `.` comes last: its wrapper is the mark of a build that is whole.
  .sort((a, b) => Number(a.subpath === '.') - Number(b.subpath === '.'))

rmSync(join(root, 'dist'), { recursive: true, force: true })
compile(entries.map(({ name }) => join(root, 'lib', `${name}.ts`)))
for (const entry of entries) await wrap(entry)

/** The name under which an entry lies in lib and dist: `index`, `stores/redis`. */
function readEntry(subpath, target) {
  const name = /^\.\/dist\/(.+)\.js$/.exec(target.require?.default)?.[1]
  const expected = {
    import: { types: `./dist/${name}.d.mts`, default: `./dist/${name}.mjs` },
    require: { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` },
  }
  if (name === undefined || JSON.stringify(target) !== JSON.stringify(expected)) {
    stop(`exports["${subpath}"] in package.json must be of the form ${JSON.stringify(expected)}`)
  }
  return { subpath, name }
}

/** Compiles the entries and what they reach: outbuildings that no entry needs stay out of dist. */
function compile(files) {
  const folder = join(root, 'node_modules', '.cache', manifest.name)
  const project = join(folder, 'tsconfig.json')
  mkdirSync(folder, { recursive: true })
  const config = { extends: join(root, 'tsconfig.build.json'), include: [], files }
  writeFileSync(project, JSON.stringify(config))
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', project], { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) stop('lib does not compile')
}

async function wrap({ name }) {
  const path = join(root, 'dist', name)
  const names = Object.keys(require(`${path}.js`)).sort()
  if (names.length === 0) stop(`lib/${name}.ts exports nothing`)
  if (names.includes('default'))
    stop(`lib/${name}.ts has a default export, which ESM and CommonJS see differently`)
  const source = `./${basename(name)}.js`
  writeFileSync(`${path}.d.mts`, `export * from '${source}'\n`)
  writeFileSync(
    `${path}.mjs`,
    `export {\n${names.map((each) => `  ${each},\n`).join('')}} from '${source}'\n`,
  )
  await import(pathToFileURL(`${path}.mjs`).href).catch((error) => stop(`dist/${name}.mjs: ${error.message}`))
}

function stop(line) {
  console.error(`build: ${line}`)
  process.exit(1)
}
