import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { transformSync } from 'esbuild'
import * as library from '../../lib/index.js'
import * as keyv from '../../lib/stores/keyv/keyv.js'
import { clientRegistryContract } from '../../lib/testing/store-contract.js'
import { codeBlocks, tableRows } from './markdown'

const PAGE = 'docs/guides/client-database.md'

/** The exports of a piece of TypeScript on the page. */
function exportsOf<T>(heading: string, index = 0): T {
  const blocks = codeBlocks(PAGE).filter((one) => one.heading === heading && one.language === 'ts')
  const { code } = transformSync(blocks[index]?.code ?? '', { loader: 'ts', format: 'cjs', target: 'es2022' })
  const modules: Record<string, unknown> = {
    'express-provisioning-keys': library,
    'express-provisioning-keys/keyv': keyv,
  }
  const module = { exports: {} }
  new Function('module', 'require', code)(module, (name: string) => modules[name] ?? require(name))
  return module.exports as T
}

type Make = (path: string) => library.ClientRegistry
const { clientsIn } = exportsOf<{ clientsIn: Make }>('SQLite')
const { sqlClientRegistry } = exportsOf<{ sqlClientRegistry: Make }>('Your own registry')

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
    const { enrol } = exportsOf<{ enrol: Enrol }>('Switch it on', 1)
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
