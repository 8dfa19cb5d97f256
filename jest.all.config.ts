/** @jest-config-loader esbuild-register */
import { testConfig } from './jest.config'

export default testConfig({ all: true })
