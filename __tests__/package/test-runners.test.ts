import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeSandbox, type Sandbox } from '../docs/sandbox'
import { itInAll, sampled } from '../support/scale'
import { ROOT, run } from './projects'

/** The test kit as apps use it: from the built package, with each test runner, and with both versions of Express. */

const HOST = `const express = require(process.env.HOST_EXPRESS ?? 'express')
const { generateSigningKeys, provisioningKeys } = require('express-provisioning-keys')

exports.client = { clientId: 'fleet', clientSecret: 'the-secret-of-the-tests-1' }

exports.createApp = function createApp({ now, redeems = true }) {
  const keys = provisioningKeys({
    issuer: 'https://auth.example.com',
    audience: 'https://api.example.com',
    signingKeys: generateSigningKeys(),
    clients: [{ ...exports.client, policy: { scopes: ['devices:create', 'devices:read'] } }],
    policy: { scopes: ['devices:create', 'devices:read'] },
    rateLimit: false,
    observer: () => undefined,
    now,
  })
  const options = { scope: 'devices:create' }
  const app = express()
  app.use(keys.router())
  app.post(
    '/devices',
    redeems ? keys.redeemProvisioningKey(options) : keys.requireProvisioningKey(options),
    express.json(),
    (req, res) => res.status(201).json({ name: req.body.name, owner: req.provisioning.subject }),
  )
  return app
}
`

/** The same tests for each runner, after its own imports. */
const SUITE = `
const clock = testClock()
const app = createApp({ now: clock.now })
const { testKey, attacks, expectNoKeyIn } = testKit({ app, client, clock })
const route = { method: 'POST', path: '/devices', scope: 'devices:create', body: { name: 'lamp' } }

test('creates a device with a key', async () => {
  const key = await testKey({ scope: 'devices:create' })
  const { body } = await request(overHttps(app))
    .post('/devices')
    .set('Authorization', \`Bearer \${key}\`)
    .send({ name: 'lamp' })
    .expect(201)
  assert.deepEqual(body, { name: 'lamp', owner: 'fleet' })
  expectNoKeyIn(body)
})

test('refuses a key that has expired', async () => {
  const key = await testKey({ scope: 'devices:create', expired: true })
  await request(overHttps(app)).post('/devices').set('Authorization', \`Bearer \${key}\`).expect(401)
})

test('withstands every attack', async () => {
  const tried = await attacks.all(app, route)
  assert.equal(tried.length, 21)
})

test('finds a route that does not redeem its keys', async () => {
  const broken = createApp({ now: clock.now, redeems: false })
  const kit = testKit({ app: broken, client, clock })
  await assert.rejects(kit.attacks.replay(broken, route), /POST \\/devices answered 201, so it accepted the same key twice/)
})
`

const KIT = '{ overHttps, testClock, testKit }'
const AS_COMMONJS = `const assert = require('node:assert/strict')
const request = require('supertest')
const ${KIT} = require('express-provisioning-keys/testing')
const { client, createApp } = require('./host.cjs')
`
const asModule = (runner: string) => `import assert from 'node:assert/strict'
import request from 'supertest'
import { test } from '${runner}'
import ${KIT} from 'express-provisioning-keys/testing'
import host from './host.cjs'
const { client, createApp } = host
`

const MODULES = join(ROOT, 'node_modules')

let sandbox: Sandbox

beforeAll(() => {
  sandbox = makeSandbox()
  sandbox.write('host.cjs', HOST)
  sandbox.write('jest.test.cjs', AS_COMMONJS + SUITE)
  sandbox.write('vitest.test.mjs', asModule('vitest') + SUITE)
  sandbox.write('node.test.mjs', asModule('node:test') + SUITE)
}, 60_000)

afterAll(() => sandbox?.remove())

describe('the test kit', () => {
  itInAll('works with Jest', () => {
    const config = { testEnvironment: 'node', transform: {}, testMatch: ['**/jest.test.cjs'] }
    sandbox.write(
      'jest.config.json',
      JSON.stringify({ ...config, moduleFileExtensions: ['js', 'cjs', 'json'] }),
    )
    const jest = join(MODULES, 'jest', 'bin', 'jest.js')
    run(
      process.execPath,
      [jest, '--json', '--outputFile=out.json', '-i', '--testTimeout=30000'],
      sandbox.folder,
    )
    expect(JSON.parse(readFileSync(join(sandbox.folder, 'out.json'), 'utf8'))).toMatchObject({
      numPassedTests: 4,
    })
  })

  itInAll('works with Vitest', () => {
    const vitest = join(MODULES, 'vitest', 'vitest.mjs')
    const arguments_ = [
      ...['run', '--root', sandbox.folder, '--reporter=json'],
      ...['--testTimeout=30000', 'vitest.test.mjs'],
    ]
    const printed = run(process.execPath, [vitest, ...arguments_], sandbox.folder)
    expect(JSON.parse(printed.slice(printed.indexOf('{"')))).toMatchObject({
      numPassedTests: 4,
      success: true,
    })
  })

  it.each(sampled(['express', 'express4'], () => 'Express'))('works with node:test and %s', (name) => {
    expect(existsSync(join(sandbox.folder, 'node_modules', name))).toBe(true)
    const arguments_ = ['--test', '--test-reporter=tap', 'node.test.mjs']
    const printed = run(process.execPath, arguments_, sandbox.folder, { HOST_EXPRESS: name })
    expect(printed).toMatch(/^# pass 4$/m)
  })

  it.each([
    ['require()', "require('express-provisioning-keys/testing')"],
    ['import()', "import('express-provisioning-keys/testing').catch((error) => { throw error })"],
  ])('does not load in production, with %s', (_, code) => {
    const load = () => run(process.execPath, ['-e', code], sandbox.folder, { NODE_ENV: 'production' })
    expect(load).toThrow(
      'express-provisioning-keys/testing is for tests, and NODE_ENV is production: import it only in test files',
    )
  })

  it('is not loaded by the main entry', () => {
    run(process.execPath, ['-e', "require('express-provisioning-keys')"], sandbox.folder, {
      NODE_ENV: 'production',
    })
  })
})
