import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { readEnvironment } from '../../demo-app/environment.js'
import { type RunningDemo, startDemo } from '../../demo-app/server.js'
import { QUICK } from '../../demo-app/story/pace.js'
import { SCENES } from '../../demo-app/story/scenes/scenes.js'
import {
  accessibilityFaults,
  openPage as openWatched,
  startBrowser,
  type WatchedPage,
} from '../support/browser.js'
import { leastOf } from '../support/least-of.js'
import { ALL, itInAll } from '../support/scale.js'

jest.setTimeout(120_000)

const LONGEST_MILLISECONDS = 2_000

/** `npm test` plays one scene without findings, and two with findings. */
const PLAYED = SCENES.filter(({ id }) => ALL || /^(enroll|steal|replay)$/.test(id))

let demo: RunningDemo
let browser: Browser
let page: Page
const watched: WatchedPage[] = []

async function openPage(options: BrowserContextOptions = {}): Promise<Page> {
  const opened = await openWatched(browser, demo.storyUrl ?? '', options)
  watched.push(opened)
  await opened.page.getByRole('button', { name: 'Enroll a device' }).waitFor()
  return opened.page
}

/** Opens the steps of a scene, unless they are open. */
async function unfold(id: string): Promise<void> {
  const steps = page.locator(`#scene-${id} .steps`)
  if ((await steps.getAttribute('open')) === null) await steps.getByText('Step by step').click()
}

beforeAll(async () => {
  const environment = readEnvironment({ PORT: '0', HTTP_PORT: '0' })
  demo = await startDemo(environment, { observer: () => undefined, hasStory: true, pace: QUICK })
  browser = await startBrowser()
  page = await openPage()
})

afterAll(async () => {
  await browser?.close()
  await demo?.stop()
})

describe('the page of the story', () => {
  it.each(PLAYED.map(({ title, rules, id }) => [title, id, rules] as const))(
    '“%s” shows its finding within two seconds',
    async (title, id, rules) => {
      const scene = page.locator(`#scene-${id}`)
      const press = async () => {
        const start = Date.now()
        await page.getByRole('button', { name: title }).click()
        await page.locator(`#scene-${id}.playing`).waitFor()
        const [first = ''] = rules
        if (rules.length > 0) await scene.getByRole('link', { name: `Finding: ${first}` }).waitFor()
        const milliseconds = Date.now() - start
        await page.locator(`#scene-${id}.played`).waitFor()
        for (const rule of rules) await scene.getByRole('link', { name: `Finding: ${rule}` }).waitFor()
        return milliseconds
      }
      expect(await leastOf(LONGEST_MILLISECONDS, press)).toBeLessThan(LONGEST_MILLISECONDS)
      expect(await scene.getByText('No finding', { exact: true }).count()).toBe(rules.length === 0 ? 1 : 0)
      expect(await scene.getByText('Not as described').count()).toBe(0)
    },
  )

  it('explains each scene that was played, and shows its requests with their commands', async () => {
    for (const { id, happened, matters } of PLAYED) {
      const text = (await page.locator(`#scene-${id}`).textContent()) ?? ''
      expect(text).toContain(happened)
      expect(text).toContain(matters)
      expect(text).toContain("curl -ksS -w '\\n%{http_code}\\n'")
    }
  })

  itInAll('folds all scenes but the last one, and opens them again', async () => {
    const last = PLAYED.at(-1)?.id
    const open = () =>
      page.evaluate(`[...document.querySelectorAll('.scene:has(.steps[open])')].map(({ id }) => id)`)
    expect(await open()).toEqual([`scene-${last}`])
    await unfold('enroll')
    await page.locator('#scene-enroll').getByText('Why it matters').waitFor()
    expect(await open()).toEqual(['scene-enroll', `scene-${last}`])
  })

  itInAll('gives an open request the width of two columns', async () => {
    const card = page.locator('#scene-enroll .card').first()
    const widthOf = async () => (await card.boundingBox())?.width ?? 0
    const before = await widthOf()
    await card.getByText('Request and response').click()
    expect(await widthOf()).toBeGreaterThan(1.2 * before)
  })

  it('links each finding to the page of the operator', async () => {
    const links = page.getByText('See it on the operator’s page')
    expect(await links.count()).toBe(PLAYED.flatMap(({ rules }) => rules).length)
    const [opened] = await Promise.all([page.waitForEvent('popup'), links.last().click()])
    await opened.getByText('demo-client').first().waitFor()
    expect(opened.url()).toMatch(/\/operator\/#\/findings\?rule=\w+$/)
    await opened.close()
  })

  it('copies a command with its secrets', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await unfold('replay')
    const card = page.locator('#scene-replay .card').first()
    await card.getByText('Request and response').click()
    await card.getByRole('button', { name: 'Copy with secrets' }).click()
    await card.getByRole('button', { name: 'Copied' }).waitFor()
    const copied = await page.evaluate<string>('navigator.clipboard.readText()')
    expect(copied).toMatch(/^curl .*--data-urlencode 'subject_token=eyJ[\w.-]+'/s)
    expect(await page.content()).not.toMatch(/eyJ[\w-]+\.[\w-]+/)
    expect(await card.getByText('the server refuses it').count()).toBe(0)
    const withProof = page.locator('#scene-enroll .card').first()
    expect(await withProof.textContent()).toContain(
      'the server refuses it: it carries a proof of a private key',
    )
  })

  itInAll(
    'has no serious faults for users of assistive technology, in both colours and on a phone',
    async () => {
      expect(await accessibilityFaults(page, { part: ALL ? 'body' : '#scene-replay' })).toEqual([])
      const dark = await openPage({ colorScheme: 'dark', viewport: { width: 390, height: 844 } })
      await dark.locator('.played').first().waitFor()
      expect(await accessibilityFaults(dark, { part: '#scene-network' })).toEqual([])
      expect(await dark.evaluate('document.documentElement.scrollWidth')).toBe(390)
    },
  )

  itInAll('works with the keyboard alone: reset, play all, then stop', async () => {
    await page.getByRole('button', { name: 'Reset' }).press('Enter')
    await page.locator('.played').first().waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Play all' }).press('Space')
    await page
      .locator('.played')
      .nth(SCENES.length - 1)
      .waitFor()
    expect(await page.getByText('Not as described').count()).toBe(0)
    const all = page.locator('#play-all')
    await page.getByRole('button', { name: 'Play all' }).press('Space')
    await page.getByRole('button', { name: 'Stop' }).press('Enter')
    await page.getByRole('button', { name: 'Play all' }).waitFor()
    expect(await all.evaluate('document.activeElement.id')).toBe('play-all')
    expect(await page.locator('#scene-network.playing').count()).toBe(0)
  })

  it('says when the demo has stopped, and has caused no errors and no violations of its policy before', async () => {
    const before = watched.flatMap(({ complaints }) => complaints)
    await demo.stop()
    await page.getByText('The demo does not answer.').waitFor()
    expect(before).toEqual([])
  })
})
