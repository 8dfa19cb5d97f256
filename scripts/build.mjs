/**
 * Builds `dist` from the entries that package.json exports. Each entry becomes one CommonJS file, with shared code in
 * `dist/shared`: to load 150 small files takes four times as long. An ESM wrapper around it makes `import` and `require`
 * load the same classes and state. The types stay in one file for each file of `lib`.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { rolldown } from 'rolldown'
import { ROOT } from './step.mjs'

const require = createRequire(import.meta.url)
require('./typescript.cjs')

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
const dist = join(ROOT, 'dist')

/** The program of `npx express-provisioning-keys`. Nothing imports it. */
const PROGRAM = 'cli/main'

/** The program that loads a configuration for the command `review`. */
const LOADER = 'cli/load-configuration'

/** The entry that makes the JSON Schema of security policies. */
const REVIEW = 'checks/policy/review'

/** The administration is loaded at its first request. */
const ADMINISTRATION = 'administration/router'

/** The files that the administration serves. */
const CONTENT = 'administration/page-content'

/** How to read the sources. */
const SOURCES = {
  platform: 'node',
  external: /^[^./]/,
  resolve: { extensionAlias: { '.js': ['.ts'] } },
}

/**
 * Puts the texts of the page into the module that reads them from files in `lib`. The modules of the page become one, which
 * browsers load faster.
 */
const embedPage = {
  name: 'embed-page',
  async load(id) {
    if (id !== sourceOf(CONTENT)) return
    const main = await bundlePage()
    const { readPageContent } = require(sourceOf(CONTENT))
    const others = Object.entries(readPageContent()).filter(([name]) => !name.endsWith('.mjs'))
    const texts = { ...Object.fromEntries(others), 'main.mjs': main }
    texts['uplot.js'] =
      `/*! ${readFileSync(require.resolve('uplot/LICENSE'), 'utf8')}*/\n${texts['uplot.js']}`
    return `export const readPageContent = () => (${JSON.stringify(texts)})`
  },
}

// The entry for tests does not load where NODE_ENV is production, and each entry is loaded here to find its names.
delete process.env.NODE_ENV

try {
  await build()
} catch (error) {
  console.error(`build: ${error.message}`)
  process.exitCode = 1
}

async function build() {
  const entries = Object.entries(manifest.exports)
    .filter(([, target]) => typeof target !== 'string')
    .map(([subpath, target]) => readEntry(subpath, target))
    // `.` is last, because its wrapper shows that a build is complete.
    .sort((a, b) => Number(a.subpath === '.') - Number(b.subpath === '.'))
  rmSync(dist, { recursive: true, force: true })
  declare(entries.map(({ name }) => sourceOf(name)))
  const names = [...entries.map(({ name }) => name), ADMINISTRATION, CONTENT, PROGRAM, LOADER]
  await bundle(Object.fromEntries(names.map((name) => [name, sourceOf(name)])))
  cpSync(join(ROOT, 'lib', 'http', 'openapi.json'), join(dist, 'http', 'openapi.json'))
  chmodSync(join(dist, `${PROGRAM}.js`), 0o755)
  for (const entry of entries) await wrap(entry)
  addSchema()
  cpSync(join(ROOT, 'lib', 'cli', 'templates'), join(dist, 'cli', 'templates'), { recursive: true })
}

/** Adds the JSON Schema of security policies, for editors. */
function addSchema() {
  const { policySchema } = require(join(dist, `${REVIEW}.js`))
  writeFileSync(
    join(dist, REVIEW, '../policy.schema.json'),
    `${JSON.stringify(policySchema(), undefined, 2)}\n`,
  )
}

/** The path of an entry in lib and dist without its extension: `index`, `stores/redis`. */
function readEntry(subpath, target) {
  const name = /^\.\/dist\/(.+)\.js$/.exec(target.require?.default)?.[1]
  const expected = {
    import: { types: `./dist/${name}.d.mts`, default: `./dist/${name}.mjs` },
    require: { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` },
  }
  if (name === undefined || JSON.stringify(target) !== JSON.stringify(expected)) {
    throw new Error(`exports["${subpath}"] in package.json must be ${JSON.stringify(expected)}`)
  }
  return { subpath, name }
}

async function bundlePage() {
  const input = join(ROOT, 'lib', 'administration', 'page', 'main.mjs')
  const bundled = await rolldown({ input, platform: 'browser' })
  const minify = { compress: false, mangle: false, codegen: { removeWhitespace: true } }
  const { output } = await bundled.generate({ format: 'es', comments: false, minify })
  return output[0].code
}

function sourceOf(name) {
  return join(ROOT, 'lib', `${name}.ts`)
}

async function bundle(input) {
  const [main, client, device] = await Promise.all(['index', 'client/client', 'cli/provision'].map(modulesOf))
  const isOfClients = (id) => client.has(id) || device.has(id)
  const isOfServer = (id) => main.has(id) && !isOfClients(id) && id !== sourceOf(CONTENT)
  const bundled = await rolldown({ ...SOURCES, input, plugins: [embedPage] })
  await bundled.write({
    dir: dist,
    format: 'cjs',
    exports: 'named',
    // The package loads 5 ms faster without them. The types have those of the public names.
    comments: false,
    entryFileNames: '[name].js',
    // The commands are loaded when somebody calls them. They find their files beside the program.
    chunkFileNames: ({ isDynamicEntry }) => (isDynamicEntry ? 'cli/[name].js' : 'shared/[name].js'),
    // Without groups, the main entry loads 30 files instead of 4, which takes 2 ms more.
    codeSplitting: {
      groups: [
        { name: 'client-and-server', test: (id) => main.has(id) && isOfClients(id), minShareCount: 2 },
        { name: 'server', test: isOfServer, minShareCount: 2 },
      ],
    },
  })
}

/** The modules that an entry needs. */
async function modulesOf(name) {
  const bundled = await rolldown({ ...SOURCES, input: sourceOf(name) })
  const { output } = await bundled.generate({ format: 'cjs' })
  return new Set(output.flatMap(({ moduleIds = [] }) => moduleIds))
}

/** Checks the entries and the files that they import, and writes their types. Other files stay out of dist. */
function declare(files) {
  const folder = join(ROOT, 'node_modules', '.cache', manifest.name)
  const project = join(folder, 'tsconfig.json')
  mkdirSync(folder, { recursive: true })
  const config = { extends: join(ROOT, 'tsconfig.build.json'), include: [], files }
  writeFileSync(project, JSON.stringify(config))
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', project], { cwd: ROOT, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error('lib does not compile')
}

async function wrap({ name }) {
  const path = join(dist, name)
  const names = Object.keys(require(`${path}.js`)).sort()
  if (names.length === 0) throw new Error(`lib/${name}.ts exports nothing`)
  if (names.includes('default'))
    throw new Error(`lib/${name}.ts has a default export, which ESM and CommonJS import in different ways`)
  const source = `./${basename(name)}.js`
  writeFileSync(`${path}.d.mts`, `export * from '${source}'\n`)
  writeFileSync(
    `${path}.mjs`,
    `export {\n${names.map((each) => `  ${each},\n`).join('')}} from '${source}'\n`,
  )
  await import(pathToFileURL(`${path}.mjs`).href)
}
