import { REASONS, type Reason } from '../../lib/base/errors.js'
import { ENDPOINTS } from '../../lib/http/endpoints.js'
import * as library from '../../lib/index.js'
import { DEFAULTS } from '../../lib/options/narrowing.js'
import { LIMITED_ENDPOINTS } from '../../lib/options/rate-limits.js'
import { codeIn, DOCUMENTS, interfaceMembers, objectEntries, readText, section, tableRows } from './markdown'

const README = 'README.md'

/** The names in the first column. */
function rowNames(heading: string): string[] {
  return tableRows(README, heading).flatMap(([first = '']) => codeIn(first))
}

function rowOf(heading: string, name: string): string[] {
  return tableRows(README, heading).find(([first]) => first === `\`${name}\``) ?? []
}

describe('the tables of the README', () => {
  it('have every option, and no other', () => {
    expect(rowNames('Options')).toEqual(interfaceMembers('lib/options/options.ts', 'ProvisioningOptions'))
  })

  it('have every option of a policy, and no other', () => {
    expect(rowNames('Policy')).toEqual(interfaceMembers('lib/ports/policy-options.ts', 'PolicyOptions'))
  })

  test.each(Object.entries(DEFAULTS))('know the default of %s', (name, value) => {
    expect(codeIn(rowOf('Policy', name)[2] ?? '')).toEqual([String(value)])
  })

  it('have every member of a client that is written down by hand, and no other', () => {
    const members = [
      ...interfaceMembers('lib/ports/client.ts', 'Client'),
      ...interfaceMembers('lib/options/client.ts', 'ClientOptions'),
    ]
    const written = [
      'bindings',
      'boundMethods',
      'deletedAt',
      'flaggedAt',
      'registeredBy',
      'registration',
      'revision',
    ]
    const byHand = [...new Set(members)].filter((member) => !written.includes(member))
    expect(rowNames('Clients').sort()).toEqual(byHand.sort())
  })

  it('have every endpoint that can be limited', () => {
    expect(codeIn(rowOf('Options', 'rateLimit')[3] ?? '')[0]).toBe(`{ ${LIMITED_ENDPOINTS.join(', ')} }`)
  })

  it('have every middleware, and the text every other verb', () => {
    const keys = library.provisioningKeys({
      issuer: 'https://auth.example.com',
      audience: 'https://api.example.com',
      signingKeys: library.generateSigningKeys(),
      clients: [],
    })
    const named = section(README, 'Middlewares').matchAll(/`keys\.(\w+)\(/g)
    expect([...named].map(([, name]) => name).sort()).toEqual(Object.keys(keys).sort())
  })

  it('have every endpoint', () => {
    const rows = rowNames('Endpoints')
    for (const { method, path } of Object.values(ENDPOINTS)) expect(rows).toContain(`${method} /oauth${path}`)
  })

  it('have every event with its severity, and no other', () => {
    const rows = tableRows(README, 'Events').map(([type = '', severity]) => [codeIn(type)[0], severity])
    expect(Object.fromEntries(rows)).toEqual(objectEntries('lib/ports/events.ts', 'SEVERITY'))
    expect(rows.map(([type]) => type)).toEqual(interfaceMembers('lib/ports/events.ts', 'EventDetails'))
  })

  it('have every reason once, with the status and the error that it is told as', () => {
    const statuses = objectEntries('lib/http/wire.ts', 'STATUS')
    const particular = objectEntries('lib/http/wire.ts', 'STATUS_OF_REASON')
    const told = (Object.keys(REASONS) as Reason[]).map((reason) => {
      const code = reason === 'credentials_missing' ? undefined : REASONS[reason]
      return `${particular[reason] ?? statuses[REASONS[reason]]} ${code ?? 'none'}: ${reason}`
    })
    const written = tableRows(README, 'Errors').flatMap(([status, error = '', _when, reasons = '']) =>
      codeIn(reasons).map((reason) => `${status} ${codeIn(error)[0] ?? error}: ${reason}`),
    )
    expect(written.sort()).toEqual(told.sort())
  })
})

describe('the tables of the pages', () => {
  test.each([
    ['docs/registration.md', 'Switching it on', 'lib/options/registration.ts', 'RegistrationOptions'],
    ['docs/split-deployment.md', 'Options', 'lib/options/verifier.ts', 'VerifierOptions'],
  ])('%s: %s has every option, and no other', (document, heading, path, name) => {
    const named = tableRows(document, heading).flatMap(([first = '']) => codeIn(first))
    const own = named.map((option) => option.replace(/\..*$/, ''))
    expect([...new Set(own)].sort()).toEqual(interfaceMembers(path, name).sort())
  })

  test.each([
    ['docs/mutual-tls.md', 'Switching it on', 'mtls', 'lib/options/mtls.ts', 'MtlsOptions'],
    ['docs/split-deployment.md', 'Options', 'jwksCache', 'lib/options/remote.ts', 'JwksCacheOptions'],
    ['docs/split-deployment.md', 'Options', 'introspection', 'lib/options/remote.ts', 'IntrospectionOptions'],
  ])('%s: %s has every member of %s, and no other', (document, heading, option, path, name) => {
    const named = tableRows(document, heading).flatMap(([first = '']) => codeIn(first))
    const members = named.filter((one) => one.startsWith(`${option}.`)).map((one) => one.split('.')[1])
    expect(members.sort()).toEqual(interfaceMembers(path, name).sort())
  })

  it('docs/access-tokens.md has every member of req.accessToken, and no other', () => {
    const named = tableRows('docs/access-tokens.md', 'What is checked').flatMap(([first = '']) =>
      codeIn(first),
    )
    expect(named.sort()).toEqual(interfaceMembers('lib/http/access-token.ts', 'AccessTokenInfo').sort())
  })
})

describe('the README', () => {
  it('links to every page of docs', () => {
    const text = readText(README)
    expect(DOCUMENTS.filter((page) => page.startsWith('docs/') && !text.includes(`](${page}`))).toEqual([])
  })

  it('names everything that the package exports for use at run time', () => {
    const text = readText(README)
    expect(Object.keys(library).filter((name) => !text.includes(name))).toEqual([])
  })

  it('names every member of req.provisioning', () => {
    const named = codeIn(section(README, 'Middlewares').replaceAll(/^```[\s\S]*?^```/gm, ''))
    const members = interfaceMembers('lib/http/provisioning.ts', 'Provisioning')
    expect(members.filter((member) => !named.includes(member))).toEqual([])
  })

  it('gives exactly two commands to try it with', () => {
    const [, commands] = /```sh\n([\s\S]*?)```/.exec(section(README, 'Try it')) ?? []
    expect(commands?.trim().split('\n')).toEqual(['npm run demo', 'npm test'])
  })
})
