import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { build } from 'esbuild'
import { sampled } from '../support/scale'
import { consumerProject, NAME, OPTIONS, type Project, ROOT, readManifest, run } from './projects'

/** The package as JavaScript projects get it: installed from the tarball and loaded in each way that Node has. */

const REQUIRE_IN_ESM =
  "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)"

const MINUTE = 60_000

let project: Project

beforeAll(async () => {
  project = await consumerProject()
}, 2 * MINUTE)

const installed = () => join(project.folder, 'node_modules', NAME)

function files(folder: string): string[] {
  return readdirSync(join(installed(), folder), { recursive: true, encoding: 'utf8' }).map((file) =>
    join(folder, file),
  )
}

describe('the packed package', () => {
  it('holds the compiled code with its types, monitoring, all pages, the examples and the license', () => {
    const names = readdirSync(installed()).sort()
    expect(names).toEqual([
      ...['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'SECURITY.md'],
      ...['dist', 'docs', 'examples', 'monitoring', 'package.json'],
    ])
    const kinds = files('dist').filter((file) => !/\.(js|mjs|d\.ts|d\.mts)$/.test(file))
    const served =
      /^dist\/((administration|http)\/openapi\.json|administration\/page\/[\w-]+\.(html|css|svg)|cli\/templates\/\w+\.txt|checks\/policy\/policy\.schema\.json)$/
    expect(kinds.filter((file) => /\.\w+$/.test(file) && !served.test(file))).toEqual([])
  })

  it('holds no tests', () => {
    expect(files('').filter((file) => /__tests__|\.(test|spec)\./.test(file))).toEqual([])
  })

  it('brings no package that is an ES module alone, except the one that the client loads with import()', () => {
    const lock = JSON.parse(readFileSync(join(project.folder, 'node_modules', '.package-lock.json'), 'utf8'))
    const runtime = Object.keys(lock.packages).filter((path) => !path.includes('@types/'))
    const esmOnly = runtime.filter((path) => {
      const { type, main, exports } = readManifest(join(project.folder, path, 'package.json'))
      return type === 'module' && !/"require"|\.cjs"/.test(JSON.stringify([main, exports]))
    })
    expect(esmOnly).toEqual(['node_modules/oauth4webapi'])
  })
})

describe('the pages in the package', () => {
  /** The files that a page links to. */
  const linkedFrom = (page: string) =>
    [...readFileSync(join(installed(), page), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(
      ([, path = '']) => join(dirname(page), path),
    )
  const HELP = ['docs/reference/checks.md', 'docs/reference/policy-rules.md', 'docs/troubleshooting.md']

  it('for help exist, with all pages that they link to', () => {
    const linked = HELP.flatMap(linkedFrom)
    expect(linked.length).toBeGreaterThan(20)
    expect([...HELP, ...linked].filter((path) => !existsSync(join(installed(), path)))).toEqual([])
  })

  it('include all files that a page links to, but no pictures', () => {
    const pages = files('').filter((file) => file.endsWith('.md'))
    const linked = pages.flatMap(linkedFrom).filter((path) => !path.endsWith('.png'))
    expect(pages).toEqual(expect.arrayContaining(['README.md', 'SECURITY.md', 'examples/README.md']))
    expect(linked.filter((path) => !existsSync(join(installed(), path)))).toEqual([])
  })
})

describe('OpenTelemetry', () => {
  it('is not installed with the package, and no file loads it', () => {
    const lock = JSON.parse(readFileSync(join(project.folder, 'node_modules', '.package-lock.json'), 'utf8'))
    expect(Object.keys(lock.packages).filter((path) => path.includes('@opentelemetry'))).toEqual([])
    const code = files('dist').filter((file) => /\.(js|mjs)$/.test(file))
    const loading = code.filter((file) =>
      /(require|import|from)\W+@opentelemetry/.test(readFileSync(join(installed(), file), 'utf8')),
    )
    expect(loading).toEqual([])
  })

  it('is an optional peer dependency, so that npm rejects versions that do not fit', () => {
    const { peerDependencies, peerDependenciesMeta } = JSON.parse(
      readFileSync(join(installed(), 'package.json'), 'utf8'),
    )
    expect(peerDependencies['@opentelemetry/api']).toBe('^1.9.0')
    expect(peerDependenciesMeta['@opentelemetry/api']).toEqual({ optional: true })
  })
})

describe('the command line', () => {
  /** What npx runs. To start npx takes longer than most commands. */
  const program = () => join(project.folder, 'node_modules', '.bin', NAME)

  it('runs with npx in a project that has installed the package', () => {
    const help = run('npx', ['--no', '--', NAME, 'provision', '--help'], project.folder)
    expect(help).toContain(`Usage: ${NAME} provision [OPTIONS]`)
    const { version } = JSON.parse(readFileSync(join(installed(), 'package.json'), 'utf8'))
    expect(run(program(), ['--version'], project.folder)).toBe(`${version}\n`)
  })

  it('names the page for a fault by a path that exists in the project', () => {
    project.write(
      'keys.cjs',
      `const { generateSigningKeys, provisioningKeys } = require('${NAME}')
      exports.keys = provisioningKeys({ ...${OPTIONS}, observer: () => undefined })`,
    )
    const review = ['review', 'keys.cjs', '--only', 'shared-store']
    const printed = run(program(), review, project.folder)
    const [, page = '', section] = /^ {2}help {6}([^#]+)#(.+)$/m.exec(printed) ?? []
    expect([page, section]).toEqual([`node_modules/${NAME}/docs/reference/policy-rules.md`, 'shared-store'])
    expect(existsSync(join(project.folder, page))).toBe(true)
  })
})

describe('a CommonJS consumer', () => {
  it('requires the package, without the help of require(esm)', () => {
    project.write(
      'app.cjs',
      `const express = require('express')
      const { ${['generateSigningKeys', 'memoryStore', 'provisioningKeys'].join(', ')} } = require('${NAME}')
      const keys = provisioningKeys(${OPTIONS})
      express().use(keys.router())
      console.log(typeof keys.requireProvisioningKey({ scope: 'provision:bind' }), typeof memoryStore)`,
    )
    expect(project.node(['--no-experimental-require-module', 'app.cjs'])).toBe('function function\n')
  })
})

describe('a bundle of an app', () => {
  const SERVER = (open: string) => `${open}
    const keys = provisioningKeys(${OPTIONS})
    const app = express()
    app.use(keys.router())
    app.use('/admin', keys.administration({ authorize: () => 'operate', page: true }))
    const server = app.listen(0, '127.0.0.1', async () => {
      const get = (path) => fetch('http://localhost:' + server.address().port + path)
      const page = await (await get('/admin/')).text()
      const files = [...page.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, file]) => '/admin/' + file)
      const answers = await Promise.all(['/admin/openapi.json', ...files].map(get))
      console.log(answers.length, answers.map(({ status }) => status).join())
      server.close()
      server.closeAllConnections()
    })`

  const NAMES = `{ generateSigningKeys, provisioningKeys }`
  const FORMATS = {
    cjs: `const express = require('express'); const ${NAMES} = require('${NAME}')`,
    esm: `import express from 'express'; import ${NAMES} from '${NAME}'`,
  } as const
  const ANSWERS = '9 200,200,200,200,200,200,200,200,200\n'

  it.each(sampled(['cjs', 'esm'] as const, () => 'a format'))(
    'made by esbuild as %s has no warnings, and serves the page',
    async (format) => {
      project.write(`app-for-esbuild.${format}.js`, SERVER(FORMATS[format]))
      const { warnings } = await build({
        absWorkingDir: project.folder,
        entryPoints: [`app-for-esbuild.${format}.js`],
        bundle: true,
        platform: 'node',
        format,
        // Express itself needs it.
        banner: format === 'esm' ? { js: REQUIRE_IN_ESM } : {},
        outfile: `esbuild/app.${format === 'esm' ? 'mjs' : 'cjs'}`,
        logLevel: 'silent',
      })
      expect(warnings).toEqual([])
      expect(project.node([`esbuild/app.${format === 'esm' ? 'mjs' : 'cjs'}`])).toBe(ANSWERS)
    },
  )
})

describe('Jest in a project', () => {
  /** The results of each test file there. One Jest runs all of them, because it takes a second to start. */
  let results: Record<string, readonly string[]>

  beforeAll(() => {
    const config = { testEnvironment: 'node', transform: {}, testMatch: ['**/*.test.js'] }
    project.write('jest.config.json', JSON.stringify(config))
    project.write(
      'app.test.js',
      `const { ConfigurationError, generateSigningKeys, provisioningKeys } = require('${NAME}')
      test('makes the middlewares', () => {
        expect(provisioningKeys(${OPTIONS}).router()).toBeInstanceOf(Function)
      })
      test('tells errors apart', () => {
        expect(() => provisioningKeys({})).toThrow(ConfigurationError)
      })`,
    )
    project.write(
      'contract.test.js',
      `const { memoryStore } = require('${NAME}')
      const { keyvClientRegistry } = require('${NAME}/keyv')
      const { clientRegistryContract, storeContract } = require('${NAME}/testing')
      clientRegistryContract({
        name: 'a registry',
        async create() {
          const map = new Map()
          const answering = { get: async (key) => map.get(key), set: async (key, value) => void map.set(key, value) }
          const keyv = { ...answering, delete: async (key) => map.delete(key), on() {} }
          return { registry: keyvClientRegistry(keyv, { lock: 'process' }) }
        },
      })
      storeContract({
        name: 'a store',
        async create() {
          let seconds = 1_700_000_000
          const store = memoryStore({ now: () => seconds * 1000 })
          return { store, nowSeconds: () => seconds, advance: async (by) => void (seconds += by) }
        },
      })`,
    )
    results = runJest()
  }, MINUTE)

  it('tests an app', () => {
    expect(results['app.test.js']).toEqual(['passed', 'passed'])
  })

  it('proves a store and a client registry with the contracts', () => {
    const statuses = results['contract.test.js'] ?? []
    expect(statuses.filter((status) => status !== 'passed')).toEqual([])
    expect(statuses.length).toBeGreaterThan(200)
  })
})

/** The statuses of the tests in each test file of the project. */
function runJest(): Record<string, readonly string[]> {
  const jest = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js')
  const output = ['--json', '--outputFile=jest.json']
  project.node([jest, `--rootDir=${project.folder}`, '--config=jest.config.json', '-i', ...output])
  const { testResults } = JSON.parse(readFileSync(join(project.folder, 'jest.json'), 'utf8'))
  return Object.fromEntries(
    testResults.map(({ name, assertionResults }: JestFile) => [
      basename(name),
      assertionResults.map(({ status }) => status),
    ]),
  )
}

interface JestFile {
  readonly name: string
  readonly assertionResults: readonly { readonly status: string }[]
}

describe('an ES module consumer', () => {
  it('imports the package by its names', () => {
    project.write(
      'app.mjs',
      `import express from 'express'
      import { generateSigningKeys, memoryStore, provisioningKeys } from '${NAME}'
      const keys = provisioningKeys(${OPTIONS})
      express().use(keys.router())
      console.log(typeof keys.requireProvisioningKey({ scope: 'provision:bind' }), typeof memoryStore)`,
    )
    expect(project.node(['app.mjs'])).toBe('function function\n')
  })

  const ENTRIES: readonly [specifier: string, known: readonly string[]][] = [
    [NAME, ['ConfigurationError', 'ProvisioningError', 'provisioningKeys']],
    [`${NAME}/client`, ['ConfigurationError', 'ProvisionError', 'provision', 'signWith']],
    [`${NAME}/client/node`, ['fileState', 'pinnedFetch', 'secretFromFile']],
    [`${NAME}/keyv`, ['keyvClientRegistry']],
    [`${NAME}/notifications`, ['securityEventTransmitter', 'webhook']],
    [`${NAME}/redis`, ['redisStore']],
    [`${NAME}/review`, ['policySchema', 'reviewPolicy']],
    [`${NAME}/siem`, ['sigmaRules', 'toEcs', 'toOcsf']],
    [`${NAME}/testing`, ['clientRegistryContract', 'expectNoKeyIn', 'storeContract', 'testKit']],
  ]

  /** The names of each entry, and those that CommonJS and ES modules get different values of. */
  let compared: Record<string, { names: string[]; different: string[] }>

  beforeAll(() => {
    project.write(
      'identity.mjs',
      `import { createRequire } from 'node:module'
      const compared = {}
      for (const specifier of ${JSON.stringify(ENTRIES.map(([specifier]) => specifier))}) {
        const imported = await import(specifier)
        const required = createRequire(import.meta.url)(specifier)
        const names = [...new Set([...Object.keys(imported), ...Object.keys(required)])]
        compared[specifier] = { names, different: names.filter((name) => imported[name] !== required[name]) }
      }
      console.log(JSON.stringify(compared))`,
    )
    compared = JSON.parse(project.node(['identity.mjs']))
  })

  it.each(ENTRIES)(
    'gets the same names and the very same classes of %s as CommonJS does',
    (specifier, known) => {
      expect(compared[specifier]?.names).toEqual(expect.arrayContaining([...known]))
      expect(compared[specifier]?.different).toEqual([])
    },
  )
})
