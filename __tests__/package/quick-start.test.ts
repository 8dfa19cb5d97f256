import { join } from 'node:path'
import { follow } from '../docs/walkthrough'
import { type PackedPackage, type Project, packPackage, ROOT, readManifest } from './projects'

let packed: PackedPackage
let project: Project

beforeAll(() => {
  packed = packPackage()
  const { express, jose } = readManifest(join(ROOT, 'package.json')).devDependencies
  project = packed.install('quick-start', `express@${express}`, `jose@${jose}`)
}, 120_000)

afterAll(() => packed?.remove())

describe('the README', () => {
  it('leads from an empty folder to an enrolled device, with the package as npm packs it', async () => {
    await follow('README.md', project)
  }, 60_000)
})
