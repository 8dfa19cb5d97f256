/** @jest-config-loader esbuild-register */
import type { Config } from 'jest'

const { testConfig }: { testConfig(options: { all: boolean }): Config } = require('./jest.config.ts')

module.exports = testConfig({ all: true })
