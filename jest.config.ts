/** @jest-config-loader esbuild-register */
import { availableParallelism } from 'node:os'
import type { Config } from 'jest'

type ProjectConfig = Exclude<NonNullable<Config['projects']>[number], string>

/** Sources import each other as the `.js` files they become. */
const SOURCES = { '^(\\.{1,2}/.*)\\.js$': '$1' }

const base: ProjectConfig = {
  testEnvironment: 'node',
  transform: {
    '^.+\\.m?[jt]s$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } } }],
  },
  moduleNameMapper: SOURCES,
  // Packages that exist as ES modules only.
  transformIgnorePatterns: ['/node_modules/(?!(jose|oauth4webapi|openid-client)/)'],
  testMatch: ['<rootDir>/__tests__/**/*.test.ts'],
}

const config: Config = {
  // Servers and processes are real here, and a busy machine is slow: what hangs is still found.
  testTimeout: 30_000,
  // Jest leaves one core to itself, which on two cores leaves half the machine idle. One more than there are, since
  // tests wait for others: servers, processes, Redis.
  maxWorkers: Math.max(3, Math.floor(availableParallelism() / 2)),
  projects: [
    { ...base, displayName: 'express5' },
    {
      ...base,
      displayName: 'express4',
      testMatch: ['<rootDir>/__tests__/{http,journeys}/**/*.test.ts'],
      moduleNameMapper: { ...SOURCES, '^express$': 'express4' },
    },
  ],
}

export default config
