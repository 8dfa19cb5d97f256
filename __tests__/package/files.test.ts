import { mkdtempSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runFolder } from '../support/run-folder.js'
import { npm, projectIn, ROOT } from './projects'

/** The files that npm would pack of a folder with these files and our manifest. */
function packed(...names: readonly string[]): string[] {
  const project = projectIn(mkdtempSync(join(runFolder(), 'pack-')))
  project.write('package.json', readFileSync(join(ROOT, 'package.json'), 'utf8'))
  for (const name of names) project.write(name, 'x')
  const [{ files }] = JSON.parse(npm(['pack', '--dry-run', '--json', '--ignore-scripts'], project.folder))
  return files.map(({ path }: { path: string }) => path).filter((path: string) => names.includes(path))
}

describe('the files of an example in the tarball', () => {
  it('are its code and its pages', () => {
    const names = [
      'examples/README.md',
      'examples/a/README.md',
      'examples/a/start.js',
      'examples/a/package.json',
    ]
    const others = ['examples/existing-api/provisioning.diff', 'examples/recipes/bind.sh']
    expect(packed(...names, ...others).sort()).toEqual([...names, ...others].sort())
  })

  it('are never what a run of the example has left, such as private keys', () => {
    const left = ['state.json', 'key.pem', '.env', 'app.env', 'signing.jwk', 'device.json', 'data.sqlite']
    expect(packed(...left.map((name) => `examples/enroll-device/${name}`))).toEqual([])
  })
})
