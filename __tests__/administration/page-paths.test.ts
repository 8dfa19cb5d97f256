import { createServer, type Server } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import helmet from 'helmet'
import type { Browser } from 'playwright-core'
import { openPage, startBrowser } from '../support/browser.js'
import { obtainKey } from '../support/requests.js'
import { itInAll, sampled } from '../support/scale.js'
import { closeServer, mountAll, type RunningServer, startServer } from '../support/server.js'

let browser: Browser
beforeAll(async () => {
  browser = await startBrowser()
})
afterAll(() => browser?.close())

/** An app with the page at a path, behind helmet with its own policy. */
function startAt(path: string): Promise<RunningServer> {
  return startServer({
    mount(app, keys) {
      app.use(helmet())
      app.use(path, keys.administration({ authorize: () => 'operate', page: true }))
      mountAll(app, keys)
    },
  })
}

/** Opens the page at a URL, and sees a key in it. */
async function expectPage(server: RunningServer, url: string): Promise<void> {
  const { page, complaints, close } = await openPage(browser, url)
  try {
    await page.locator('.stream.live').waitFor()
    await page.getByRole('link', { name: 'Keys', exact: true }).click()
    await page.getByRole('heading', { name: 'Keys', exact: true }).waitFor()
    expect(complaints).toEqual([])
    expect(new URL(page.url()).hash).toMatch(/^#\/keys/)
  } finally {
    await close()
    await server.close()
  }
}

describe('the page', () => {
  for (const path of sampled(['/a/b/', '/', '/admin'], () => 0))
    it(`works at ${path}, next to the policy of the host`, async () => {
      const server = await startAt(path)
      await expectPage(server, `${server.origin}${path}`)
    })

  itInAll('works behind a proxy that rewrites its path, also without a slash at the end', async () => {
    const server = await startAt('/admin')
    await obtainKey(server)
    const proxy = await startProxy(server, '/tools/keys', '/admin')
    const { port } = proxy.address() as AddressInfo
    await expectPage(server, `http://localhost:${port}/tools/keys`).finally(() => closeServer(proxy))
  })
})

/** A proxy that sends a path of its own to another path of a server. */
async function startProxy(server: RunningServer, from: string, to: string): Promise<Server> {
  const proxy = createServer((req, res) => {
    if (!req.url?.startsWith(from)) return void res.writeHead(404).end()
    const path = `${to}${req.url.slice(from.length)}`
    const options = { method: req.method, headers: req.headers, ca: server.cert, servername: 'localhost' }
    const forwarded = request(`${server.origin}${path}`, options, (answer) => {
      res.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(res)
    })
    forwarded.on('error', () => res.destroy())
    res.on('close', () => forwarded.destroy())
    req.pipe(forwarded)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  return proxy
}
