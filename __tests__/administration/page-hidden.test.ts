import type { Page } from 'playwright-core'
import { OperatorPages } from '../support/operator-page.js'
import { obtainKey } from '../support/requests.js'

const pages = new OperatorPages()

/** A browser without a window shows all its pages. So the test says which page is hidden. */
const show = (page: Page, isShown: boolean) =>
  page.evaluate(`
    Object.defineProperty(document, 'hidden', { configurable: true, value: ${!isShown} })
    document.dispatchEvent(new Event('visibilitychange'))
  `)

describe('a page that its reader does not see', () => {
  it('gives its connection to the other pages of the browser, and catches up when it is seen', async () => {
    const page = await pages.open()
    await page.locator('.stream.live').waitFor()
    const ended = page.waitForEvent('requestfailed', (request) => request.url().includes('/api/events'))
    await show(page, false)
    await ended
    await obtainKey(pages.server)
    const streams: string[] = []
    page.on('request', (request) => request.url().includes('/api/events') && streams.push(request.url()))
    await page.waitForTimeout(1_500)
    expect([streams, await page.locator('.event').count()]).toEqual([[], 0])
    await show(page, true)
    await page.locator('.event', { hasText: 'Key issued' }).waitFor()
    await page.locator('.stream.live').waitFor()
    expect(pages.complaints).toEqual([])
  })
})
