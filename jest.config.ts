/** @jest-config-loader esbuild-register */
import type { Config } from 'jest'

// With `import`, a Node that runs TypeScript itself would warn, because .ts files are CommonJS here.
const { availableParallelism }: typeof import('node:os') = require('node:os')

type ProjectConfig = Exclude<NonNullable<Config['projects']>[number], string>

const tests = (...patterns: string[]) => patterns.map((one) => `<rootDir>/__tests__/${one}.test.ts`)

/** What touches `req`, `res` or a router: the rest does not notice which Express calls it. */
const ABOUT_EXPRESS = tests(
  'http/{error-handler,guard-options,held-answer-*,https,preflight,promises,request-body}',
  'journeys/attacks/{bodies,hang-up,late-handlers}',
  'journeys/guards/*',
  'journeys/issuance/provisioning',
  'journeys/redemption/{returning,route}',
  'journeys/retries/answers',
  'journeys/secrecy/never-logged',
)

/** Whole files that only `npm run test:all` runs. Others take a sample of their cases: see `__tests__/support/scale.ts`. */
const ONLY_IN_ALL = [
  '__tests__/faults/(broken-store|short)',
  '__tests__/demo/(database|shared-database|workers)',
  '__tests__/package/types',
  '__tests__/stores/(keyv-processes|redis-cluster|redis-lock-races|redis-replicas)',
  '__tests__/administration/page-(actions|faults|hidden|outcomes|paths|replay)',
  '__tests__/clients/confirm-kill',
  '__tests__/package/(init|test-runners)',
  '__tests__/simulation/simulation',
  '__tests__/checks/client/(enrollment|impostors|refusals|retries)',
  '__tests__/checks/deployment/(examples|oidc-provider)',
  '__tests__/docs/staging',
]

/** Sources import each other as the `.js` files they become. */
const SOURCES = { '^(\\.{1,2}/.*)\\.js$': '$1' }

/** The configuration of `npm run test:all`, and of `npm test`, which leaves out what takes long and seldom fails. */
function testConfig({ all }: { readonly all: boolean }): Config {
  const base: ProjectConfig = {
    // Jest tries them in this order. Most imports are of our own sources.
    moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
    testEnvironment: '<rootDir>/__tests__/support/environment.ts',
    setupFilesAfterEnv: ['<rootDir>/__tests__/support/intervals.ts'],
    globals: { testsAll: all },
    transform: {
      '^.+\\.m?[jt]s$': [
        '@swc/jest',
        { sourceMaps: true, jsc: { target: 'es2023', parser: { syntax: 'typescript' } } },
      ],
    },
    moduleNameMapper: SOURCES,
    // Packages that exist as ES modules only.
    transformIgnorePatterns: ['/node_modules/(?!(jose|oauth4webapi|openid-client)/)'],
    testPathIgnorePatterns: ['/node_modules/', ...(all ? [] : ONLY_IN_ALL)],
  }
  const express4 = { ...SOURCES, '^express$': 'express4' }
  return {
    globalSetup: '<rootDir>/__tests__/support/run-folder.ts',
    globalTeardown: '<rootDir>/__tests__/support/remove-run-folder.ts',
    // Servers and processes are real here, and a busy machine is slow: what hangs is still found.
    testTimeout: 30_000,
    // After 500 ms, the default, Jest would report a leak whenever a busy machine needs longer to end a process.
    workerGracefulExitTimeout: 10_000,
    reporters: ['default', ['<rootDir>/scripts/hang-reporter.cjs', { minutes: all ? 10 : 3 }]],
    // Jest leaves one core to itself, which on two cores leaves half the machine idle. One more than there are, since
    // tests wait for others: servers, processes, Redis.
    maxWorkers: Math.max(3, Math.floor(availableParallelism() / 2)),
    projects: [
      { ...base, displayName: 'express5', testMatch: tests('**/*') },
      {
        ...base,
        displayName: 'express4',
        testMatch: all ? tests('{http,journeys}/**/*') : ABOUT_EXPRESS,
        moduleNameMapper: express4,
      },
    ],
  }
}

module.exports = Object.assign(() => testConfig({ all: false }), { testConfig })
