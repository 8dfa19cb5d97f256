import { join } from 'node:path'
import { runFolder } from '../support/run-folder.js'
import { sampled } from '../support/scale.js'
import { install, NAME, OPTIONS, type Project, packPackage, ROOT, readManifest } from './projects'

/** The package as TypeScript projects get it, under each version of TypeScript and of Node's types that we support. */

jest.setTimeout(180_000)

const APP = `import express from 'express'
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

const JWK_APP = `import { generateKeyPairSync } from 'node:crypto'
import { type ClientOptions, provisioningKeys } from '${NAME}'
import { type Provisioned, provision } from '${NAME}/client'
import { fileState, secretFromFile } from '${NAME}/client/node'
import { keyvClientRegistry } from '${NAME}/keyv'
import { type Notifier, securityEventTransmitter, webhook } from '${NAME}/notifications'
import { redisStore } from '${NAME}/redis'
import { type OcsfEvent, sigmaRules, toOcsf } from '${NAME}/siem'
import { storeContract } from '${NAME}/testing'

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const client: ClientOptions = { clientId: 'a', jwks: { keys: [publicKey.export({ format: 'jwk' })] } }
const options = { issuer: 'https://a.example', audience: 'https://b.example', clients: [client] }
provisioningKeys({ ...options, signingKeys: privateKey.export({ format: 'jwk' }) })
// @ts-expect-error a number is no key: the options must not become any
provisioningKeys({ ...options, signingKeys: 1 })
// @ts-expect-error nor is it an issuer
provisioningKeys({ issuer: 1 })
const hook: Notifier = webhook({ url: 'https://a.example', secrets: ['whsec_'] })
provisioningKeys({ ...options, signingKeys: privateKey, observer: hook.observer }).on('*', hook.observer)
export function enroll(): Promise<Provisioned> {
  const options = { issuer: 'https://a.example', action: 'bind', key: secretFromFile('/key') } as const
  return provision({ ...options, state: fileState('/state') })
}
export const classes: number[] = []
provisioningKeys({ ...options, signingKeys: privateKey }).on('*', (event) => {
  const { class_uid }: OcsfEvent = toOcsf(event)
  classes.push(class_uid)
})
export const all = [keyvClientRegistry, redisStore, securityEventTransmitter, sigmaRules, storeContract]
`

const tsconfig = (files: readonly string[]) =>
  JSON.stringify({
    files,
    compilerOptions: {
      ...{ target: 'es2022', module: 'nodenext', moduleResolution: 'nodenext', types: ['node'] },
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
      ...{ esModuleInterop: true, skipLibCheck: false, noEmit: true },
    },
  })

let tarball: string

beforeAll(async () => {
  tarball = await packPackage()
})

function typedProject(nodeTypes: string, typescript: string): Project {
  const { express, '@types/express': types } = readManifest(join(ROOT, 'package.json')).devDependencies
  const compilers = [`@types/node@${nodeTypes}`, `typescript@${typescript}`]
  const folder = join(runFolder(), `types-${nodeTypes}-${typescript}`)
  return install(folder, tarball, `express@${express}`, `@types/express@${types}`, ...compilers)
}

const VERSIONS = [
  ['26', '7'],
  ['25', '7'],
  ['24', '7'],
  ['22', '7'],
  ['26', '6'],
  ['22', '5.9'],
  ['20', '5.4'],
  ['20', '5.0'],
] as const

describe('the types', () => {
  // `npm test` takes the newest.
  it.each(sampled(VERSIONS, () => 0))(
    'compile under @types/node %s and TypeScript %s, all declarations included',
    (nodeTypes, typescript) => {
      const project = typedProject(nodeTypes, typescript)
      for (const file of ['app.mts', 'app.cts']) project.write(file, APP)
      project.write('jwk.mts', JWK_APP)
      project.write('tsconfig.json', tsconfig(['app.mts', 'app.cts', 'jwk.mts']))
      expect(project.node([join('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.'])).toBe('')
    },
  )
})
