import { examplesIn, type PublicExport, publicExports } from '../../scripts/house/exports'
import { ROOT } from './markdown'
import { makeSandbox, type Sandbox } from './sandbox'

jest.setTimeout(60_000)

/** What every example may use without saying where it comes from. */
const GIVEN = `
declare const app: import('express').Express
declare const express: typeof import('express')
declare const keys: import('express-provisioning-keys').ProvisioningKeys
/** Stands for a table of the user's own database. */
declare const devices: {
  create(subject: string, name: string, id?: string): Promise<{ readonly id: number }>
}
`

const exported = publicExports(ROOT)

let sandbox: Sandbox

beforeAll(() => {
  sandbox = makeSandbox()
})

afterAll(() => sandbox?.remove())

/** The example as a module: the names of this package are imported where the example does not do so itself. */
function moduleOf(code: string): string {
  const imported = new Set(
    [...code.matchAll(/^import [^;]*?from '[^']+'/gm)].flatMap(([text]) => words(text)),
  )
  const used = new Set(words(code))
  const missing = exported.filter(({ name }) => used.has(name) && !imported.has(name))
  const imports = missing.map(
    ({ name, specifier }) => `import { ${typeOnly(name)}${name} } from '${specifier}'`,
  )
  return [...imports, code, 'export {}'].join('\n')
}

function typeOnly(name: string): string {
  return /^[a-z]|Error$/.test(name) ? '' : 'type '
}

function words(text: string): string[] {
  return text.match(/[\w$]+/g) ?? []
}

describe('the examples of the public exports', () => {
  const without = ({ name, comment }: PublicExport) => {
    const examples = examplesIn(comment)
    return examples.length === 0 || !examples.some((code) => words(code).includes(name))
  }

  it('exist for each of them, and use its name', () => {
    expect(exported.filter(without).map(({ name }) => name)).toEqual([])
  })

  it('compile as a user would write them', () => {
    sandbox.write('given.d.ts', GIVEN)
    for (const [order, { name, comment }] of exported.entries())
      examplesIn(comment).forEach((code, index) => {
        // Numbered, because some names differ only in case, and some file systems do not tell these apart.
        sandbox.write(`${order}-${name}.${index}.mts`, moduleOf(code))
      })
    expect(sandbox.typeErrors()).toEqual([])
  })
})
