import { ALICE, button, excessWidth, go, OperatorPages, PHONE, textOf } from '../support/operator-page.js'
import { obtainKey } from '../support/requests.js'
import { CLIENT } from '../support/server.js'

const pages = new OperatorPages()

describe('the end of a session', () => {
  it('clears the page', async () => {
    await pages.attack()
    const page = await pages.open(`client?clientId=${CLIENT}`)
    await page.locator('.stream.live').waitFor()
    pages.access = false
    await obtainKey(pages.server)
    await page.getByRole('heading', { name: 'Your session has ended' }).waitFor()
    expect(await page.content()).not.toMatch(/ci-runner|bystander|alice/)
    expect([page.url(), await page.title()]).toEqual([
      `${pages.server.origin}/admin/`,
      'Your session has ended',
    ])
    pages.access = ALICE
    await page.getByRole('link', { name: 'Reload the page' }).click()
    await page.locator('.stream.live').waitFor()
  })

  it('is also a redirect of the host to its login', async () => {
    const page = await pages.open()
    await page.route('**/api/overview', (route) =>
      route.fulfill({ status: 302, headers: { Location: '/login' } }),
    )
    await obtainKey(pages.server)
    await page.getByRole('heading', { name: 'Your session has ended' }).waitFor()
  })
})

describe('a fault', () => {
  it('of the store is the first thing that the page says', async () => {
    pages.isStoreDown = true
    const page = await pages.open()
    await page.getByRole('alert').getByText('The store cannot be reached.').waitFor()
    pages.isStoreDown = false
    // The server keeps an answer of the store for a second.
    await page.waitForTimeout(1_100)
    await button(page, 'Try again').click()
    await page.getByRole('heading', { name: 'Everything is fine.' }).waitFor()
  })

  it('of the store, later, is what the whole page says', async () => {
    const page = await pages.open()
    await page.locator('.stream.live').waitFor()
    await page.locator('#foot', { hasText: 'the store answers in' }).waitFor()
    pages.isStoreDown = true
    await obtainKey(pages.server)
    await page.getByText('The page shows earlier data.').waitFor()
    expect(await page.locator('.stream').textContent()).toBe('Earlier data')
    expect(await page.locator('#foot').textContent()).toContain('the store cannot be reached')
    expect(await page.locator('main h1').textContent()).toMatch(/^The store cannot be reached/)
    pages.isStoreDown = false
    await page.waitForTimeout(1_100)
    await button(page, 'Try again').click()
    await page.locator('.stream.live').waitFor()
    expect(await page.locator('#foot').textContent()).toContain('the store answers in')
  })

  it('of the network leaves the earlier data, and says so', async () => {
    const page = await pages.open()
    await page.route('**/api/**', (route) => route.abort())
    await obtainKey(pages.server)
    await page.getByText('The page shows earlier data.').waitFor()
    expect(await page.locator('main h1').textContent()).toBe('Everything is fine.')
    await page.unroute('**/api/**')
    await button(page, 'Try again').click()
    await page.getByText('The page shows earlier data.').waitFor({ state: 'hidden' })
  })
})

describe('a clock of another process that is ahead', () => {
  it('makes no key look old', async () => {
    const page = await pages.open()
    const words = await page.evaluate(`(async () => {
      const { age } = await import(new URL('times.mjs', document.querySelector('script[type]').src))
      return [-7_200, -1, 7_200].map((ago) => age(1_000_000 - ago, { now: () => 1_000_000 }).textContent)
    })()`)
    expect(words).toEqual(['in 2 h', 'just now', '2 h'])
  })
})

describe('hostile names', () => {
  const NAME =
    `<script>alert(1)</script>\u202egnp.exe\u0007<img src=x onerror=alert(1)>${'اسم'.repeat(80)}`.slice(
      0,
      300,
    )

  const LOCKS = [
    {
      clientId: 'a',
      kind: 'stepUp',
      reason: 'r',
      author: 'bob',
      lockedAt: 1,
      until: Date.now() / 1000 + 90_000,
    },
  ]

  /** What of it can be the id of a client. */
  const ID = NAME.replace(/[^ -~]/g, '')

  it('neither run, nor hide a part of themselves, nor break the page', async () => {
    await pages.server.keys.lockClient({
      clientId: ID,
      reason: NAME.slice(0, 256),
      author: NAME.slice(0, 256),
    })
    pages.access = { role: 'operate', actor: NAME.slice(0, 256) }
    await obtainKey(pages.server)
    const page = await pages.open('', PHONE)
    await page.route('**/api/clients*', (route) =>
      route.fulfill({ json: { items: [{ clientId: NAME, lastUsedAt: Date.now() / 1000, locks: [] }] } }),
    )
    for (const view of ['', 'clients', 'locks', `client?clientId=${encodeURIComponent(ID)}`, 'events']) {
      await go(page, view)
      expect([view, await excessWidth(page)]).toEqual([view, 0])
      expect(await textOf(page)).not.toMatch(/\p{Cf}/u)
    }
    await go(page, 'clients')
    await page.getByText('full name').click()
    expect(await page.locator('bdi.full').textContent()).toContain(
      '<script>alert(1)</script>⟨202E⟩gnp.exe⟨0007⟩',
    )
    expect(pages.complaints).toEqual([])
  })

  it('do not push the buttons of their clients out of sight', async () => {
    const clientId = 'a'.repeat(200)
    const page = await pages.open('clients')
    await page.route('**/api/clients*', (route) =>
      route.fulfill({ json: { items: [{ clientId, lastUsedAt: Date.now() / 1000, locks: LOCKS }] } }),
    )
    await go(page, '')
    await button(page, 'Unlock').waitFor()
    const cut = `[...document.querySelectorAll('.table')].filter((one) => one.scrollWidth > one.clientWidth).length`
    expect(await page.evaluate(cut)).toBe(0)
  })
})
