import { readFileSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const PROGRAM = '/usr/bin/chromium'
const INSTALL = 'chromium is needed for this test: apt-get update && apt-get install -y chromium'

export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: PROGRAM, args: ['--no-sandbox'] }).catch((error: Error) => {
    throw error.message.includes('ENOENT') || error.message.includes('exist') ? new Error(INSTALL) : error
  })
}

/** A page, and everything that the browser has complained about: errors, and reports of the policy. */
export interface WatchedPage {
  readonly page: Page
  readonly complaints: string[]
  close(): Promise<void>
}

export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, reducedMotion: 'reduce', ...options })
  context.setDefaultTimeout(10_000)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('dialog', (dialog) => complaints.push(`a dialog: ${dialog.message()}`))
  await page.goto(url)
  await page.locator('h1').first().waitFor()
  return { page, complaints, close: () => context.close() }
}

interface AxeResults {
  readonly violations: readonly {
    readonly id: string
    readonly impact: string
    readonly nodes: readonly { readonly html: string }[]
  }[]
}

/** The program that looks for faults. The policy of the page does not concern it, because the browser injects it. */
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')

/**
 * The serious faults that axe finds, each as its name and an element.
 *
 * @param of.rules the rules that it applies. Default: all
 * @param of.part a selector. A whole page takes axe some seconds
 */
export async function accessibilityFaults(
  page: Page,
  { rules, part = 'body' }: { readonly rules?: readonly string[] | undefined; readonly part?: string } = {},
): Promise<string[]> {
  await page.evaluate(AXE)
  const options = JSON.stringify({ resultTypes: ['violations'], ...(rules && { runOnly: rules }) })
  const { violations } = await page.evaluate<AxeResults>(`axe.run('${part}', ${options})`)
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`))
}
