/** @jest-config-loader esbuild-register */
import type { Config } from 'jest'

type ProjectConfig = Exclude<NonNullable<Config['projects']>[number], string>

const base: ProjectConfig = {
  testEnvironment: 'node',
  transform: {
    '^.+\\.m?[jt]s$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } } }],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  // Packages that exist as ES modules only.
  transformIgnorePatterns: ['/node_modules/(?!(jose|oauth4webapi|openid-client)/)'],
  testMatch: ['<rootDir>/__tests__/**/*.test.ts'],
}

const config: Config = {
  projects: [
    { ...base, displayName: 'express5' },
    {
      ...base,
      displayName: 'express4',
      testMatch: ['<rootDir>/__tests__/{http,journeys}/**/*.test.ts'],
      moduleNameMapper: { ...base.moduleNameMapper, '^express$': 'express4' },
    },
  ],
}

export default config
