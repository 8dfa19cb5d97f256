/**
 * Takes the screenshots of the documentation: `node scripts/run.mjs scripts/screenshots.ts`. It starts the demo, lets the story
 * attack it, and opens the operator's page in chromium.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium } from 'playwright-core'
import { readEnvironment } from '../demo-app/environment'
import { startDemo } from '../demo-app/server'
import { QUICK } from '../demo-app/story/pace'

const FOLDER = join(__dirname, '..', 'docs', 'images')

interface Shot {
  readonly name: string
  /** Below the path of the operator's page. */
  readonly view: string
  readonly options: BrowserContextOptions
}

const DESKTOP = { viewport: { width: 1280, height: 900 } }

const SHOTS: readonly Shot[] = [
  { name: 'operator-page', view: '', options: DESKTOP },
  { name: 'operator-page-dark', view: '#/findings', options: { ...DESKTOP, colorScheme: 'dark' } },
  { name: 'operator-page-phone', view: '', options: { viewport: { width: 390, height: 844 } } },
]

async function main(): Promise<void> {
  const demo = await startDemo(readEnvironment({ PORT: '0', HTTP_PORT: '0' }), {
    observer: () => undefined,
    hasStory: true,
    pace: QUICK,
  })
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
  try {
    mkdirSync(FOLDER, { recursive: true })
    await playStory(browser, demo.storyUrl ?? '')
    for (const shot of SHOTS) await take(browser, demo.storyUrl ?? '', shot)
  } finally {
    await browser.close()
    await demo.stop()
  }
}

async function playStory(browser: Browser, url: string): Promise<void> {
  const page = await browser.newPage()
  await page.goto(url)
  await page.getByRole('button', { name: 'Play all' }).click()
  // The last scene ends with two findings.
  await page.locator('#scene-network').getByText('many_networks').first().waitFor({ timeout: 60_000 })
  await page.waitForTimeout(3_000)
  await page.close()
}

async function take(browser: Browser, url: string, { name, view, options }: Shot): Promise<void> {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
  const page = await context.newPage()
  // The link contains the token of the session.
  await page.goto(url)
  await page.goto(new URL(`/operator/${view}`, url).href)
  await page.locator('main h1').waitFor()
  await page.waitForTimeout(1_000)
  await page.screenshot({ path: join(FOLDER, `${name}.png`) })
  await context.close()
}

main()
