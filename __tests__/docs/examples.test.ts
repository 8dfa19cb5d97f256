import { examplesIn, type PublicExport, publicExports } from '../../scripts/house/exports'
import { ROOT } from './markdown'
import { makeSandbox, type Sandbox } from './sandbox'

jest.setTimeout(60_000)

/** The names that every example can use without a declaration. */
const GIVEN = `
declare const app: import('express').Express
declare const express: typeof import('express')
declare const keys: import('express-provisioning-keys').ProvisioningKeys
/** Stands for a table in the database of the user. */
declare const devices: {
  create(subject: string, name: string, id?: string): Promise<{ readonly id: number }>
}
/** Stands for the authorization server of the user. */
declare const tokens: { issue(subject: string, scope: readonly string[]): Promise<string> }
/** Stands for an \`Agent\` of undici. */
declare const agent: import('undici-types').Dispatcher
/** Stands for a client of node-redis, whose own types take the compiler ten times as long as all examples. */
declare const redis: { sendCommand<Reply>(command: readonly string[]): Promise<Reply> }
declare const RedisLimits: typeof import('rate-limit-redis').RedisStore
declare const keyv: import('keyv').Keyv
/** Stands for the test kit of the user. */
declare const kit: import('express-provisioning-keys/testing').TestKit
declare const appendFile: typeof import('node:fs/promises').appendFile
/** Stands for the function of a test file that makes a store and its clock. */
declare function storeUnderTest(
  options?: import('express-provisioning-keys').MemoryStoreOptions,
): Promise<import('express-provisioning-keys/testing').StoreUnderTest>
`

const exported = publicExports(ROOT)

/** The types whose members users write. */
const OPTIONS =
  /Options$|^(EndpointLimit|SoftwareStatementIssuer|ClientMetadata|JwkSet|IssuedKeyRef|BindingRef)$/

/** Every member of these types, such as `issuer` of `ProvisioningOptions`. */
const options = exported
  .filter(({ name }) => OPTIONS.test(name))
  .flatMap(({ name: type, members }) => members.map(({ name, comment }) => ({ type, name, comment })))

/** Every member that is a time. Those of a request are of the type Date. */
const times = exported
  .filter(({ name }) => !/^(AccessTokenInfo|Provisioning)$/.test(name))
  .flatMap(({ name: type, members }) => members.map(({ name, comment }) => ({ type, name, comment })))
  .filter(({ name }) => /(At|[uU]ntil|^confirmBy)$/.test(name))

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
  it.each(times)('say the unit of $name of $type', ({ comment }) => {
    expect(comment).toMatch(/second|NumericDate/)
  })

  const without = ({ name, comment }: PublicExport) => {
    const examples = examplesIn(comment)
    return examples.length === 0 || !examples.some((code) => words(code).includes(name))
  }

  it('exist for each of them, and use its name', () => {
    expect(exported.filter(without).map(({ name }) => name)).toEqual([])
  })

  it('exist for each member of the options', () => {
    const unexplained = options.filter(({ comment }) => examplesIn(comment).length === 0)
    expect(unexplained.map(({ type, name }) => `${type}.${name}`)).toEqual([])
  })

  it('compile as a user would write them', () => {
    sandbox.write('given.d.ts', GIVEN)
    const programs = [
      ...exported.flatMap(({ name, comment }) => examplesIn(comment).map((code) => ({ name, code }))),
      ...options.flatMap(({ type, name, comment }) =>
        examplesIn(comment).map((code) => ({
          name: `${type}.${name}`,
          code: `const example: NonNullable<${type}['${name}']> = ${code}`,
        })),
      ),
    ]
    for (const [index, { name, code }] of programs.entries()) {
      // Numbered, because some names differ only in case, and some file systems do not tell these apart.
      sandbox.write(`${index}-${name}.mts`, moduleOf(code))
    }
    expect(sandbox.typeErrors()).toEqual([])
  })
})
