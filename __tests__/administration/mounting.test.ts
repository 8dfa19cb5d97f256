import { get as getHttp } from 'node:http'
import { runInNewContext } from 'node:vm'
import express from 'express'
import helmet from 'helmet'
import { AS, authorizeByHeader, readApi, startAdministration } from '../support/administration.js'
import { send } from '../support/requests.js'
import { type RunningServer, startServer } from '../support/server.js'

const SERVED = 'Provisioning keys'

const open = (server: RunningServer, path: string) => send(server, 'get', path).set(AS, 'alice')

async function withMounted(path: string, test: (server: RunningServer) => Promise<void>): Promise<void> {
  const server = await startAdministration({ page: true, path })
  await test(server).finally(server.close)
}

/** The paths of the files that the page names, from where the browser sees the page. */
function filesOf(html: string, pageUrl: string): string[] {
  const links = [...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, link]) => link as string)
  return links.map((link) => new URL(link, pageUrl).pathname)
}

describe('the path of the administration', () => {
  for (const path of ['/', '/admin', '/a/b/'])
    it(`may be ${path}`, () =>
      withMounted(path, async (server) => {
        const base = path.endsWith('/') ? path : `${path}/`
        const page = await open(server, base)
        expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
        expect(page.text).toContain(SERVED)
        const files = filesOf(page.text, `${server.origin}${base}`)
        expect(files.length).toBeGreaterThan(2)
        for (const file of files) expect((await open(server, file)).status).toBe(200)
        expect((await open(server, `${base}api/health`)).status).toBe(200)
      }))

  it('may be in a nested router', async () => {
    const server = await startServer({
      mount(app, keys) {
        const inner = express
          .Router()
          .use('/ops', keys.administration({ authorize: authorizeByHeader, page: true }))
        app.use('/v1', inner)
      },
    })
    try {
      expect((await open(server, '/v1/ops/')).text).toContain(SERVED)
      expect((await open(server, '/v1/ops/api/health')).status).toBe(200)
    } finally {
      await server.close()
    }
  })

  it('leaves all other paths to the host, without asking who sends the request', async () => {
    const server = await startServer({
      mount(app, keys) {
        app.use(keys.administration({ authorize: () => false, page: true }))
        for (const path of ['/health', '/api/devices', '/assets.html'])
          app.get(path, (_req, res) => void res.json({ of: 'the host' }))
      },
    })
    try {
      for (const path of ['/health', '/api/devices', '/assets.html'])
        expect((await send(server, 'get', path)).body).toEqual({ of: 'the host' })
      expect((await send(server, 'get', '/api/keys')).status).toBe(403)
    } finally {
      await server.close()
    }
  })

  it('gets its missing slash from the browser, because a proxy may have rewritten it', () =>
    withMounted('/admin', async (server) => {
      const { status, text, headers } = await open(server, '/admin')
      expect(status).toBe(200)
      expect(addressAfter(text, 'https://host/admin?a#b')).toBe('https://host/admin/?a#b')
      expect(headers['content-security-policy']).toMatch(/script-src 'self' 'sha256-[\w+/]+='; /)
    }))

  it('gets its missing slash also if only the browser knows that it is missing', () =>
    withMounted('/admin', async (server) => {
      const { text } = await open(server, '/admin/')
      expect(addressAfter(text, 'https://host/tools')).toBe('https://host/tools/')
      expect(addressAfter(text, 'https://host/tools/')).toBe('https://host/tools/')
    }))

  it('stays on its own site, whatever path a link has', () =>
    withMounted('/admin', async (server) => {
      const { text } = await open(server, '/admin')
      const link = 'https://host//stranger.example/..%2fadmin'
      expect(addressAfter(text, link)).toBe(`${link}/`)
    }))
})

/** The address that the browser shows after it has run the script in a document. */
function addressAfter(document: string, address: string): string {
  let shown = new URL(address)
  const { origin, pathname, search, hash } = shown
  const replace = (next: string) => {
    shown = new URL(next, address)
  }
  const [, script = ''] = /<script>(.*?)<\/script>/.exec(document) ?? []
  runInNewContext(script, { location: { origin, pathname, search, hash, replace } })
  return shown.href
}

describe('the page', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startAdministration({ page: true })
  })
  afterAll(() => server.close())

  it('may load only its own files, and be framed by nobody', async () => {
    const { headers } = await open(server, '/admin/')
    expect(headers['content-security-policy']?.split('; ')).toEqual([
      "default-src 'none'",
      expect.stringMatching(/^script-src 'self' 'sha256-[\w+/]+='$/),
      "style-src 'self'",
      "connect-src 'self'",
      "img-src 'self'",
      "form-action 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ])
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    })
  })

  it('has files that browsers may keep until the next version', async () => {
    const { text } = await open(server, '/admin/')
    const [file = ''] = filesOf(text, `${server.origin}/admin/`)
    expect((await open(server, file)).headers['cache-control']).toBe('private, max-age=31536000, immutable')
    const ofOtherVersion = file.replace(/assets\/[0-9a-f]+/, 'assets/0123456789abcdef')
    expect((await open(server, ofOtherVersion)).headers['cache-control']).toBe('no-store')
  })

  it('is compressed for browsers that accept it', async () => {
    const [file = ''] = filesOf((await open(server, '/admin/')).text, `${server.origin}/admin/`)
    const compressed = await open(server, file).set('Accept-Encoding', 'gzip')
    const plain = await open(server, file).set('Accept-Encoding', 'identity')
    expect([compressed.headers['content-encoding'], plain.headers['content-encoding']]).toEqual([
      'gzip',
      undefined,
    ])
    expect(compressed.text).toBe(plain.text)
  })

  it('has no other files', async () => {
    for (const path of [
      '/admin/assets/0123456789abcdef/../page-files.js',
      '/admin/assets/0123456789abcdef/..%2Fpage-files.js',
      '/admin/assets/0123456789abcdef/%2e%2e/openapi.json',
      '/admin/assets/0123456789abcdef/',
      '/admin/assets/0123456789abcdef/index.html',
      '/admin/assets/page.js',
    ])
      expect([path, (await open(server, path)).status]).toEqual([path, 404])
  })

  it('and its files are only for operators', async () => {
    for (const path of [
      '/admin/',
      '/admin',
      '/admin/assets/0123456789abcdef/page.css',
      '/admin/openapi.json',
    ])
      expect((await send(server, 'get', path)).status).toBe(403)
  })

  it('opens from a link on another site, but its API does not answer that site', async () => {
    const crossSite = { 'Sec-Fetch-Site': 'cross-site' }
    expect((await open(server, '/admin/').set(crossSite)).status).toBe(200)
    expect((await open(server, '/admin/api/health').set(crossSite)).status).toBe(403)
  })

  it('is off without the option', async () => {
    const withoutPage = await startAdministration()
    try {
      expect((await open(withoutPage, '/admin/')).status).toBe(404)
      expect((await readApi(withoutPage, 'health')).status).toBe(200)
    } finally {
      await withoutPage.close()
    }
  })
})

it("replaces the policy of the host's own helmet", async () => {
  const server = await startServer({
    mount(app, keys) {
      app.use(
        helmet({
          contentSecurityPolicy: { directives: { 'script-src': ["'self'", 'https://cdn.example'] } },
        }),
      )
      app.use('/admin', keys.administration({ authorize: authorizeByHeader, page: true }))
    },
  })
  try {
    const { headers } = await open(server, '/admin/')
    expect(headers['content-security-policy']).not.toMatch(/cdn|upgrade-insecure/)
  } finally {
    await server.close()
  }
})

describe('plain HTTP', () => {
  let server: RunningServer
  let port: number
  beforeAll(async () => {
    server = await startAdministration({ page: true })
    port = await server.openHttp()
  })
  afterAll(() => server.close())

  const statusOf = (headers: Record<string, string>, at = port) =>
    new Promise<number | undefined>((resolve, reject) => {
      const options = {
        port: at,
        host: '127.0.0.1',
        path: '/admin/api/health',
        headers: { [AS]: 'alice', ...headers },
      }
      getHttp(options, (res) => resolve(res.resume().statusCode)).on('error', reject)
    })

  it('is for this machine under its own name', async () => {
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, '[::1]', 'LOCALHOST'])
      expect([host, await statusOf({ Host: host })]).toEqual([host, 200])
  })

  it('is refused under the name of a stranger, which could lead to this machine', async () => {
    for (const host of [
      'evil.example',
      `localhost.evil.example:${port}`,
      '127.0.0.1.nip.io',
      'localhost:80@evil.example',
    ])
      expect([host, await statusOf({ Host: host })]).toEqual([host, 403])
  })

  it('is refused from a proxy', async () => {
    for (const name of ['X-Forwarded-For', 'X-Forwarded-Proto', 'Forwarded', 'Via', 'X-Real-IP'])
      expect(await statusOf({ Host: `localhost:${port}`, [name]: 'for=192.0.2.1' })).toBe(403)
  })

  it('is refused under the name of a stranger also in a local deployment', async () => {
    const local = await startAdministration({ options: { issuer: 'http://localhost:3000' }, page: true })
    try {
      const at = await local.openHttp()
      expect(await statusOf({ Host: `evil.example:${at}` }, at)).toBe(403)
      expect(await statusOf({ Host: `localhost:${at}` }, at)).toBe(200)
    } finally {
      await local.close()
    }
  })
})
