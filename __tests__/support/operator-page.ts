import type { Browser, Page } from 'playwright-core'
import { type AdministrationAccess, memoryStore } from '../../lib/index.js'
import type { KeyRef } from '../../lib/ports/key-record.js'
import { startAdministration } from './administration.js'
import { openPage, startBrowser, type WatchedPage } from './browser.js'
import { keyRefOf, until } from './redeeming.js'
import { exchangeKey, obtainKey } from './requests.js'
import type { RunningServer } from './server.js'

export const ALICE: AdministrationAccess = { role: 'operate', actor: 'alice' }
export const VICTOR: AdministrationAccess = { role: 'view', actor: 'victor' }

export const DESKTOP = { width: 1280, height: 900 }
export const PHONE = { width: 390, height: 844 }

/** A server with the operator's page, and a browser that shows it. Each test gets a server of its own. */
export class OperatorPages {
  /** What `authorize` answers. */
  access: AdministrationAccess = ALICE
  isStoreDown = false
  #browser: Browser | undefined
  #server: RunningServer | undefined
  #opened: WatchedPage[] = []

  constructor() {
    beforeAll(async () => {
      this.#browser = await startBrowser()
    })
    beforeEach(() => this.#start())
    afterEach(async () => {
      await Promise.all(this.#opened.map((one) => one.close()))
      await this.#server?.close()
    })
    afterAll(() => this.#browser?.close())
  }

  get server(): RunningServer {
    if (this.#server === undefined) throw new Error('no test runs')
    return this.#server
  }

  /** What the browser has complained about. */
  get complaints(): string[] {
    return this.#opened.flatMap((one) => one.complaints)
  }

  async open(view = '', viewport = DESKTOP): Promise<Page> {
    if (this.#browser === undefined) throw new Error('no test runs')
    const watched = await openPage(this.#browser, `${this.server.origin}/admin/#/${view}`, { viewport })
    this.#opened.push(watched)
    return watched.page
  }

  /** Replays a key, so that a rule finds something, and locks another client. */
  async attack(): Promise<{ clientId: string; keyId: string }> {
    const key = await obtainKey(this.server, { scope: 'provision:token devices:read' })
    await exchangeKey(this.server, key)
    await exchangeKey(this.server, key)
    const { keys } = this.server
    await until(async () => (await keys.findings()).length > 0)
    await keys.lockClient({ clientId: 'bystander', reason: 'ticket 4711', author: 'bob', lockSeconds: 3_600 })
    return keyRefOf(key)
  }

  async #start(): Promise<void> {
    this.access = ALICE
    this.isStoreDown = false
    this.#opened = []
    const memory = memoryStore()
    const find = (ref: KeyRef) => (this.isStoreDown ? Promise.reject(new Error('down')) : memory.find(ref))
    this.#server = await startAdministration({
      options: { monitoring: {}, store: { ...memory, find } },
      authorize: () => this.access,
      page: true,
    })
  }
}

/** Shows another view of an open page, as a link does. */
export async function go(page: Page, view: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(`#/${view}`)}`)
  await page.locator(`.view[data-key="#/${view}"]`).waitFor()
}

/** By how many pixels the page is wider than its window. */
export function excessWidth(page: Page): Promise<number> {
  return page.evaluate('document.documentElement.scrollWidth - innerWidth')
}

export const textOf = (page: Page) => page.locator('body').textContent()

export const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name })

/** The button in the open dialog. */
export const confirm = (page: Page, name: string) => page.getByRole('dialog').getByRole('button', { name })
