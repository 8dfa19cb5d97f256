import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as library from '../../lib/index.js'
import * as keyv from '../../lib/stores/keyv/keyv.js'
import { clientRegistryContract } from '../../lib/testing/testing.js'
import { codeUnder, tableRows } from './markdown'
import { runCode } from './run-code'

const PAGE = 'docs/guides/client-database.md'

const modules = { 'express-provisioning-keys/keyv': keyv }

type Make = (path: string) => library.ClientRegistry
const { clientsIn } = runCode<{ clientsIn: Make }>(codeUnder(PAGE, 'SQLite'), { modules })
const { sqlClientRegistry } = runCode<{ sqlClientRegistry: Make }>(codeUnder(PAGE, 'Your own registry'))

function inFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'clients-'))
  const close = async () => rmSync(folder, { recursive: true, force: true })
  return { path: join(folder, 'clients.sqlite'), close }
}

clientRegistryContract({
  name: 'the adapter for SQLite of docs/guides/client-database.md',
  async create() {
    const { path, close } = inFolder()
    return { registry: clientsIn(path), close }
  },
})

clientRegistryContract({
  name: 'the registry of docs/guides/client-database.md',
  async create() {
    const { path, close } = inFolder()
    return { registry: sqlClientRegistry(path), another: async () => sqlClientRegistry(path), close }
  },
})

describe('docs/guides/client-database.md', () => {
  it('puts a first client into the database, once', async () => {
    type Enrol = (registry: library.ClientRegistry, id: string, secret: string) => Promise<boolean>
    const { enrol } = runCode<{ enrol: Enrol }>(codeUnder(PAGE, 'Switch it on', { index: 1 }), { modules })
    const { path, close } = inFolder()
    try {
      const registry = clientsIn(path)
      expect(await enrol(registry, 'fleet', 'correct-horse-battery-staple')).toBe(true)
      expect(await enrol(registry, 'fleet', 'another-horse-battery-staple')).toBe(false)
      expect((await registry.find('fleet'))?.secretHash).toMatch(/^hmac-sha256:/)
    } finally {
      await close()
    }
  })

  it('names every option', () => {
    const names = tableRows(PAGE, 'Options').map(([name]) => name)
    expect(names).toEqual(['`lock`', '`timeoutSeconds`', '`now`'])
  })
})
