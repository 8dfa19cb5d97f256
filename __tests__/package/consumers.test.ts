import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** The package as its users get it: packed, installed from the tarball, loaded in each way there is to load it. */

const NAME = 'express-provisioning-keys'
const MINUTE = 60_000

const root = join(__dirname, '..', '..')
const manifest = readManifest(join(root, 'package.json'))
const place = mkdtempSync(join(tmpdir(), `${NAME}-`))
const consumer = join(place, 'consumer')
const installed = join(consumer, 'node_modules', NAME)

const OPTIONS = `{
  issuer: 'https://auth.example.com',
  audience: 'https://api.example.com',
  signingKeys: generateSigningKeys('ES256'),
  clients: [
    {
      clientId: 'a',
      clientSecret: 'a-long-enough-secret-for-tests-0123456789',
      policy: { scopes: ['provision:bind'], defaultScopes: ['provision:bind'] },
    },
  ],
}`

beforeAll(() => {
  node([join(root, 'scripts', 'setup.mjs')], root)
  const packed = npm(['pack', '--json', '--ignore-scripts', `--pack-destination=${place}`], root)
  const [{ filename }] = JSON.parse(packed)
  mkdirSync(consumer)
  write('package.json', JSON.stringify({ name: 'consumer', private: true }))
  const { express, '@types/express': types, '@types/node': nodeTypes } = manifest.devDependencies
  const packages = [
    join(place, filename),
    `express@${express}`,
    `@types/express@${types}`,
    `@types/node@${nodeTypes}`,
  ]
  npm(['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], consumer)
}, 2 * MINUTE)

afterAll(() => rmSync(place, { recursive: true, force: true }))

describe('the packed package', () => {
  it('holds the compiled code with its types, the README, the changelog and the license', () => {
    const names = readdirSync(installed).sort()
    expect(names).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'package.json'])
    const kinds = files('dist').filter((file) => !/\.(js|mjs|d\.ts|d\.mts)$/.test(file))
    expect(kinds.filter((file) => /\.\w+$/.test(file))).toEqual([])
  })

  it('holds no tests', () => {
    expect(files('').filter((file) => /__tests__|\.(test|spec)\./.test(file))).toEqual([])
  })

  it('brings no package that is an ES module alone', () => {
    const lock = JSON.parse(readFileSync(join(consumer, 'node_modules', '.package-lock.json'), 'utf8'))
    const runtime = Object.keys(lock.packages).filter((path) => !path.includes('@types/'))
    const esmOnly = runtime.filter((path) => {
      const { type, main, exports } = readManifest(join(consumer, path, 'package.json'))
      return type === 'module' && !/"require"|\.cjs"/.test(JSON.stringify([main, exports]))
    })
    expect(esmOnly).toEqual([])
  })
})

describe('a CommonJS consumer', () => {
  it('requires the package, without the help of require(esm)', () => {
    write(
      'app.cjs',
      `const express = require('express')
      const { ${['generateSigningKeys', 'memoryStore', 'provisioningKeys'].join(', ')} } = require('${NAME}')
      const keys = provisioningKeys(${OPTIONS})
      express().use(keys.router())
      console.log(typeof keys.requireProvisioningKey({ scope: 'provision:bind' }), typeof memoryStore)`,
    )
    expect(node(['--no-experimental-require-module', 'app.cjs'])).toBe('function function\n')
  })

  it(
    'tests with Jest',
    () => {
      write(
        'jest.config.json',
        JSON.stringify({ testEnvironment: 'node', transform: {}, testMatch: ['**/app.test.js'] }),
      )
      write(
        'app.test.js',
        `const { ConfigurationError, generateSigningKeys, provisioningKeys } = require('${NAME}')
      test('makes the middlewares', () => {
        expect(provisioningKeys(${OPTIONS}).router()).toBeInstanceOf(Function)
      })
      test('tells errors apart', () => {
        expect(() => provisioningKeys({})).toThrow(ConfigurationError)
      })`,
      )
      const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js')
      node([jest, `--rootDir=${consumer}`, '--config=jest.config.json', '--json', '--outputFile=jest.json'])
      const { numPassedTests, numTotalTests } = JSON.parse(readFileSync(join(consumer, 'jest.json'), 'utf8'))
      expect([numPassedTests, numTotalTests]).toEqual([2, 2])
    },
    MINUTE,
  )
})

describe('an author of a store or of a client registry', () => {
  it(
    'proves them with the contracts, in Jest',
    () => {
      write('contract.json', JSON.stringify({ testEnvironment: 'node', testMatch: ['**/contract.test.js'] }))
      write(
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
      const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js')
      node([
        jest,
        `--rootDir=${consumer}`,
        '--config=contract.json',
        '--json',
        '--outputFile=contract-out.json',
      ])
      const outcome = JSON.parse(readFileSync(join(consumer, 'contract-out.json'), 'utf8'))
      expect(outcome.numPassedTests).toBe(outcome.numTotalTests)
      expect(outcome.numPassedTests).toBeGreaterThan(200)
    },
    MINUTE,
  )
})

describe('an ES module consumer', () => {
  it('imports the package by its names', () => {
    write(
      'app.mjs',
      `import express from 'express'
      import { generateSigningKeys, memoryStore, provisioningKeys } from '${NAME}'
      const keys = provisioningKeys(${OPTIONS})
      express().use(keys.router())
      console.log(typeof keys.requireProvisioningKey({ scope: 'provision:bind' }), typeof memoryStore)`,
    )
    expect(node(['app.mjs'])).toBe('function function\n')
  })

  it.each([
    [NAME, ['ConfigurationError', 'ProvisioningError', 'provisioningKeys']],
    [`${NAME}/keyv`, ['keyvClientRegistry']],
    [`${NAME}/redis`, ['redisStore']],
    [`${NAME}/testing`, ['clientRegistryContract', 'storeContract']],
  ])('gets the same names and the very same classes of %s as CommonJS does', (specifier, known) => {
    write(
      'identity.mjs',
      `import { createRequire } from 'node:module'
      import * as imported from '${specifier}'
      const required = createRequire(import.meta.url)('${specifier}')
      const names = [...new Set([...Object.keys(imported), ...Object.keys(required)])]
      console.log(JSON.stringify({ names, different: names.filter((name) => imported[name] !== required[name]) }))`,
    )
    const { names, different } = JSON.parse(node(['identity.mjs']))
    expect(names).toEqual(expect.arrayContaining(known))
    expect(different).toEqual([])
  })
})

describe('a TypeScript consumer', () => {
  const app = `import express from 'express'
import { ConfigurationError, generateSigningKeys, memoryStore, ProvisioningError, provisioningKeys } from '${NAME}'
import { type KeyvLike, keyvClientRegistry } from '${NAME}/keyv'
import { type RedisStore, redisStore } from '${NAME}/redis'

const keys = provisioningKeys({ ...${OPTIONS}, store: memoryStore() })
const redis: RedisStore = redisStore({ sendCommand: async ([name, ...args], key) => [name, args.length, key] })
const keyv: KeyvLike = { get: async () => undefined, set: async () => true, delete: async () => true, on() {} }
provisioningKeys({ ...${OPTIONS}, store: redis, clients: keyvClientRegistry(keyv, { lock: redis }) })
const app = express()
app.use(keys.router())
app.post('/device', keys.requireProvisioningKey({ scope: 'provision:bind' }), (req, res) => {
  const clientId: string | undefined = req.provisioning?.clientId
  res.json({ clientId })
})
export const kinds: readonly (new (...given: never) => Error)[] = [ProvisioningError, ConfigurationError]
`
  const program = (extension: string) => {
    write(`typed/app.${extension}`, app)
    write(
      `typed/${extension}.json`,
      JSON.stringify({
        files: [`app.${extension}`],
        compilerOptions: {
          target: 'es2023',
          module: 'nodenext',
          types: ['node'],
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          esModuleInterop: true,
          skipLibCheck: false,
          noEmit: true,
        },
      }),
    )
    return node([
      join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
      '-p',
      join('typed', `${extension}.json`),
    ])
  }

  it.each(['cts', 'mts'])(
    'type checks as .%s, all declarations included',
    (extension) => {
      expect(program(extension)).toBe('')
    },
    MINUTE,
  )

  it(
    'is told of an option of the wrong type',
    () => {
      write(
        'typed/wrong.mts',
        `import { provisioningKeys } from '${NAME}'\nprovisioningKeys({ issuer: 1 })\n`,
      )
      const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
      const arguments_ = [
        '--noEmit',
        '--strict',
        '--module',
        'nodenext',
        '--types',
        'node',
        'typed/wrong.mts',
      ]
      expect(() => node([tsc, ...arguments_])).toThrow(/Type 'number' is not assignable to type 'string'/)
    },
    MINUTE,
  )
})

describe('the types', () => {
  const app = `import { generateKeyPairSync } from 'node:crypto'
import { type ClientOptions, provisioningKeys } from '${NAME}'
import { keyvClientRegistry } from '${NAME}/keyv'
import { redisStore } from '${NAME}/redis'
import { storeContract } from '${NAME}/testing'

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const client: ClientOptions = { clientId: 'a', jwks: { keys: [publicKey.export({ format: 'jwk' })] } }
const options = { issuer: 'https://a.example', audience: 'https://b.example', clients: [client] }
provisioningKeys({ ...options, signingKeys: privateKey.export({ format: 'jwk' }) })
// @ts-expect-error a number is no key: the options must not become any
provisioningKeys({ ...options, signingKeys: 1 })
export const all = [keyvClientRegistry, redisStore, storeContract]
`
  const tsconfig = JSON.stringify({
    files: ['app.mts'],
    compilerOptions: {
      ...{ target: 'es2022', module: 'nodenext', moduleResolution: 'nodenext', types: ['node'] },
      ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true },
    },
  })

  it.each([
    ['22', '7'],
    ['24', '7'],
    ['25', '7'],
    ['26', '7'],
    ['20', '5.4'],
    ['22', '5.9'],
    ['26', '6'],
  ])(
    'compile under @types/node %s and TypeScript %s, all declarations included',
    (nodeTypes, typescript) => {
      const folder = join(place, `types-${nodeTypes}-${typescript}`)
      mkdirSync(folder)
      const packages = [
        ...[tarball(), `@types/node@${nodeTypes}`, `typescript@${typescript}`],
        ...['express@5', '@types/express@5'],
      ]
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'typed', private: true }))
      npm(['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], folder)
      writeFileSync(join(folder, 'app.mts'), app)
      writeFileSync(join(folder, 'tsconfig.json'), tsconfig)
      const tsc = join(folder, 'node_modules', 'typescript', 'bin', 'tsc')
      expect(run(process.execPath, [tsc, '-p', folder], folder)).toBe('')
    },
    3 * MINUTE,
  )
})

/** The packed package, as `beforeAll` left it. */
function tarball(): string {
  return join(place, readdirSync(place).find((name) => name.endsWith('.tgz')) ?? 'no tarball')
}

interface Manifest {
  readonly type?: string
  readonly main?: string
  readonly exports?: unknown
  readonly devDependencies: Readonly<Record<string, string>>
}

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(path, 'utf8')) as Manifest
}

function write(file: string, text: string): void {
  mkdirSync(dirname(join(consumer, file)), { recursive: true })
  writeFileSync(join(consumer, file), text)
}

function files(folder: string): string[] {
  return readdirSync(join(installed, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
    join(folder, file),
  )
}

function npm(arguments_: readonly string[], cwd: string): string {
  return run('npm', ['--loglevel=error', ...arguments_], cwd)
}

function node(arguments_: readonly string[], cwd = consumer): string {
  return run(process.execPath, arguments_, cwd)
}

/** Runs to the end and answers with stdout. What the npm around this test run says of its own package is not passed on. */
function run(command: string, arguments_: readonly string[], cwd: string): string {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_(package|lifecycle)_|npm_config_local_prefix|JEST_|NODE_ENV)/.test(name),
    ),
  )
  try {
    return execFileSync(command, arguments_, {
      cwd,
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    throw new Error(`${command} ${arguments_.join(' ')} failed\n${stdout}\n${stderr}`, { cause: error })
  }
}
