import { REASONS, type Reason } from '../../lib/base/errors.js'
import { ENDPOINTS } from '../../lib/http/endpoints.js'
import * as library from '../../lib/index.js'
import { DEFAULTS } from '../../lib/options/narrowing.js'
import { LIMITED_ENDPOINTS } from '../../lib/options/rate-limits.js'
import { codeIn, DOCUMENTS, interfaceMembers, objectEntries, readText, tableRows } from './markdown'

const OPTIONS = 'docs/reference/options.md'
const MIDDLEWARES = 'docs/reference/middlewares.md'
const INDEX = 'docs/README.md'

/** The names in the first column. */
function rowNames(heading: string, page = OPTIONS): string[] {
  return tableRows(page, heading).flatMap(([first = '']) => codeIn(first))
}

function rowOf(heading: string, name: string): string[] {
  return tableRows(OPTIONS, heading).find(([first]) => first === `\`${name}\``) ?? []
}

describe('the tables of the reference', () => {
  it('have every option, and no other', () => {
    expect(rowNames('Options')).toEqual(
      interfaceMembers('lib/options/provisioning-options.ts', 'ProvisioningOptions'),
    )
  })

  it('have every option of a policy, and no other', () => {
    expect(rowNames('Policy')).toEqual(interfaceMembers('lib/ports/policy-options.ts', 'PolicyOptions'))
  })

  test.each(Object.entries(DEFAULTS))('know the default of %s', (name, value) => {
    expect(codeIn(rowOf('Policy', name)[2] ?? '')).toEqual([String(value)])
  })

  it('have every member of a client, and no other', () => {
    const members = interfaceMembers('lib/options/client.ts', 'ClientOptions')
    expect(rowNames('Clients').sort()).toEqual(members.sort())
  })

  it('have every endpoint that can be limited', () => {
    expect(codeIn(rowOf('Options', 'rateLimit')[3] ?? '')[0]).toBe(`{ ${LIMITED_ENDPOINTS.join(', ')} }`)
  })

  it('have every middleware and every call', () => {
    const keys = library.provisioningKeys({
      issuer: 'https://auth.example.com',
      audience: 'https://api.example.com',
      signingKeys: library.generateSigningKeys(),
      clients: [],
    })
    const rows = tableRows(MIDDLEWARES).flatMap(([first = '']) => codeIn(first))
    const named = rows.flatMap((call) => /^keys\.(\w+)\(/.exec(call)?.[1] ?? [])
    expect(named.sort()).toEqual(Object.keys(keys).sort())
  })

  it('have every endpoint', () => {
    const rows = rowNames('Endpoints', 'docs/reference/endpoints.md')
    for (const { method, path } of Object.values(ENDPOINTS)) expect(rows).toContain(`${method} /oauth${path}`)
  })

  it('have every event with its severity, and no other', () => {
    const rows = tableRows('docs/reference/events.md').map(([type = '', severity]) => [
      codeIn(type)[0],
      severity,
    ])
    expect(Object.fromEntries(rows)).toEqual(objectEntries('lib/ports/events.ts', 'SEVERITY'))
    expect(rows.map(([type]) => type)).toEqual(interfaceMembers('lib/ports/event-details.ts', 'EventDetails'))
  })

  it('have every reason once, with the status and the error that it is told as', () => {
    const statuses = objectEntries('lib/http/refusal.ts', 'STATUS')
    const particular = objectEntries('lib/http/refusal.ts', 'STATUS_OF_REASON')
    const told = (Object.keys(REASONS) as Reason[]).map((reason) => {
      const code = reason === 'credentials_missing' ? undefined : REASONS[reason]
      return `${particular[reason] ?? statuses[REASONS[reason]]} ${code ?? 'none'}: ${reason}`
    })
    const written = tableRows('docs/reference/errors.md').flatMap(
      ([status, error = '', _when, reasons = '']) =>
        codeIn(reasons).map((reason) => `${status} ${codeIn(error)[0] ?? error}: ${reason}`),
    )
    expect(written.sort()).toEqual(told.sort())
  })
})

describe('the tables of the pages', () => {
  test.each([
    ['docs/guides/registration.md', 'Switch it on', 'lib/options/registration.ts', 'RegistrationOptions'],
    [
      'docs/guides/api-in-another-process.md',
      'Options',
      'lib/options/verifier-options.ts',
      'VerifierOptions',
    ],
  ])('%s: %s has every option, and no other', (document, heading, path, name) => {
    const named = tableRows(document, heading).flatMap(([first = '']) => codeIn(first))
    const own = named.map((option) => option.replace(/\..*$/, ''))
    expect([...new Set(own)].sort()).toEqual(interfaceMembers(path, name).sort())
  })

  test.each([
    ['docs/guides/mutual-tls.md', 'Switch it on', 'mtls', 'lib/options/mtls.ts', 'MtlsOptions'],
    [
      'docs/guides/api-in-another-process.md',
      'Options',
      'jwksCache',
      'lib/options/remote.ts',
      'JwksCacheOptions',
    ],
    [
      'docs/guides/api-in-another-process.md',
      'Options',
      'introspection',
      'lib/options/remote.ts',
      'IntrospectionOptions',
    ],
  ])('%s: %s has every member of %s, and no other', (document, heading, option, path, name) => {
    const named = tableRows(document, heading).flatMap(([first = '']) => codeIn(first))
    const members = named.filter((one) => one.startsWith(`${option}.`)).map((one) => one.split('.')[1])
    expect(members.sort()).toEqual(interfaceMembers(path, name).sort())
  })

  it('docs/guides/access-tokens.md has every member of req.accessToken, and no other', () => {
    const named = tableRows('docs/guides/access-tokens.md', 'Checks').flatMap(([first = '']) => codeIn(first))
    expect(named.sort()).toEqual(interfaceMembers('lib/http/identities.ts', 'AccessTokenInfo').sort())
  })
})

describe('the index of docs', () => {
  it('links to every other page', () => {
    const text = readText(INDEX)
    const pages = DOCUMENTS.filter((page) => page.startsWith('docs/') && page !== INDEX)
    expect(pages.filter((page) => !text.includes(`](${page.slice('docs/'.length)})`))).toEqual([])
  })
})

describe('the reference', () => {
  it('names everything that the package exports for use at run time', () => {
    const pages = DOCUMENTS.filter((page) => page.startsWith('docs/reference/'))
    const text = pages.map(readText).join('')
    expect(Object.keys(library).filter((name) => !text.includes(name))).toEqual([])
  })

  it('names every member of req.provisioning', () => {
    const named = tableRows(MIDDLEWARES, 'The identity of a request').flatMap(([first = '']) => codeIn(first))
    const members = interfaceMembers('lib/http/identities.ts', 'Provisioning')
    expect(named.sort()).toEqual(members.sort())
  })
})

describe('SECURITY.md', () => {
  it('names tests for each threat of docs/security.md, in the same order', () => {
    const threats = tableRows('docs/security.md').filter((cells) => cells.length === 3)
    const tested = tableRows('SECURITY.md').filter(([, tests = '']) => tests.includes('__tests__/'))
    expect(tested.map(([threat]) => threat)).toEqual(threats.map(([threat]) => threat))
  })
})
