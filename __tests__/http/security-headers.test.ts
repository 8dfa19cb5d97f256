import { apiHeaders, securityHeaders } from '../../lib/http/security-headers.js'
import { trustedProxies } from '../../lib/http/trusted-proxies.js'
import { send } from '../support/requests.js'
import { type RunningServer, startServer } from '../support/server.js'

async function headersAt(server: RunningServer, path: string) {
  const { headers, status } = await send(server, 'get', path)
  expect(status).toBe(200)
  const { date: _date, etag: _etag, ...others } = headers
  return others
}

describe('security headers', () => {
  let server: RunningServer

  beforeAll(async () => {
    const nonces = ['nonce-1', 'nonce-2']
    const scriptSrc = [() => `'${nonces.shift()}'`]
    const options = { contentSecurityPolicy: { directives: { scriptSrc } } }
    server = await startServer({
      mount(app, keys) {
        const proxies = trustedProxies()
        app.get('/recorded', securityHeaders(proxies), (_req, res) => void res.end())
        // With options, even with none, helmet runs for each request.
        app.get('/live', securityHeaders(proxies, {}), (_req, res) => void res.end())
        app.get('/api', apiHeaders(), (_req, res) => void res.end())
        app.get('/nonce', keys.securityHeaders(options), (_req, res) => void res.end())
      },
    })
  })

  afterAll(() => server.close())

  it('are the same whether helmet runs once or for each request', async () => {
    const live = await headersAt(server, '/live')
    expect(live).toMatchObject({
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'cache-control': 'no-store',
      'x-frame-options': 'DENY',
      'strict-transport-security': expect.stringMatching(/^max-age=31536000/),
    })
    expect(live['x-powered-by']).toBeUndefined()
    expect(await headersAt(server, '/recorded')).toEqual(live)
    const { 'strict-transport-security': _hsts, ...others } = live
    expect(await headersAt(server, '/api')).toEqual(others)
  })

  it('follow a directive that is a function of the request', async () => {
    const first = await headersAt(server, '/nonce')
    const second = await headersAt(server, '/nonce')
    expect(first['content-security-policy']).toContain("script-src 'nonce-1'")
    expect(second['content-security-policy']).toContain("script-src 'nonce-2'")
  })
})
