import { gzipSync } from 'node:zlib'
import { readPageFiles } from '../../lib/administration/page-files.js'
import { RULES } from '../../lib/monitoring/rules/rules.js'
import { SEVERITY } from '../../lib/ports/events.js'
import { askSigned, bindByProof } from '../support/bound-client.js'
import { accessibilityFaults } from '../support/browser.js'
import { clientKey } from '../support/client-assertion.js'
import { button, excessWidth, go, OperatorPages, PHONE, textOf } from '../support/operator-page.js'
import { askForKey, obtainKey } from '../support/requests.js'
import { itInAll, sampled } from '../support/scale.js'
import { CLIENT } from '../support/server.js'

const pages = new OperatorPages()

/** Where the parts of the page are. */
const PLACES = `[...document.querySelectorAll('.status, .tiles, .panel')].map((part) => {
  const { top, height } = part.getBoundingClientRect()
  return [top, height]
})`

/** The tables and menus that the window cuts off. */
const CUT = `[...document.querySelectorAll('.table, nav, nav ul')]
  .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
  .map(({ className, tagName }) => className || tagName)`

describe('the overview', () => {
  itInAll('says that everything is fine', async () => {
    const page = await pages.open()
    expect(await page.locator('main h1').textContent()).toBe('Everything is fine.')
    expect(await textOf(page)).toContain('No findings are open.')
    expect(pages.complaints).toEqual([])
  })

  it('says what happened last, and how the server responded', async () => {
    await pages.attack()
    const page = await pages.open()
    expect(await page.locator('main h1').textContent()).toBe(`A used key of ${CLIENT} was sent again.`)
    const status = page.locator('.status', { hasText: 'revoked everything that the key had given' })
    const words = await status.textContent()
    expect(words).toMatch(/responded ?The server refused the request and revoked everything/)
    expect(words).toMatch(/ bystander is locked until (\d+ \w+, )?\d\d:\d\d\.What/)
    expect(words).toMatch(new RegExp(`A used key was sent again: ${CLIENT}, [^.]+\\.$`))
    expect(await page.title()).toBe('1 high finding · Overview · Provisioning keys')
  })

  itInAll('responds to the finding that it names, and says which other one came last', async () => {
    await pages.attack()
    for (let i = 0; i < 10; i += 1) await askForKey(pages.server, {}, { id: CLIENT, secret: 'wrong' })
    const page = await pages.open()
    const title = `A used key of ${CLIENT} was sent again, and 1 more finding is open.`
    await page.getByRole('heading', { name: title }).waitFor()
    const [step, response, happened] = await page.locator('.status dd').allTextContents()
    expect(step).toMatch(/^Today: give the device a new key/)
    expect(response).toMatch(/^The server refused the request and revoked everything/)
    expect(happened).toMatch(
      /^Somebody guesses the credentials of a client: .* The server refused all of them/,
    )
  })

  itInAll('says what to do now in the first panel and with the finding', async () => {
    await pages.attack()
    const page = await pages.open()
    const step = 'Today: give the device a new key, and find out where the old one was copied.'
    const card = page.locator('.card', { hasText: 'The device that had this key needs a new one.' })
    expect(await card.locator('.next').textContent()).toBe(step)
    expect(await page.locator('.status .next').textContent()).toBe(`What to do now${step}`)
  })

  itInAll('names the worst finding, and counts the others', async () => {
    await pages.attack()
    const page = await pages.open()
    await page.route('**/api/overview', async (route) => {
      const overview = await (await route.fetch()).json()
      await route.fulfill({
        json: { ...overview, findings: { open: 3, bySeverity: { high: 1, notice: 2 } } },
      })
    })
    await obtainKey(pages.server)
    const sentence = `A used key of ${CLIENT} was sent again, and 2 more findings are open.`
    await page.getByRole('heading', { name: sentence }).waitFor()
  })

  itInAll('tells no client at all from clients that were only refused', async () => {
    const page = await pages.open()
    await page.getByText('No client has used the server yet.').waitFor()
    await askForKey(pages.server, {}, { id: CLIENT, secret: 'wrong' })
    await page.getByText('No client has used the server successfully yet.').waitFor()
  })

  itInAll('shows equal events in a row only once, with their number', async () => {
    const page = await pages.open()
    for (let i = 0; i < 3; i += 1) await askForKey(pages.server, {}, { id: CLIENT, secret: 'wrong' })
    await page.locator('.event', { hasText: 'wrong client secret, 3 times' }).waitFor()
    expect(await page.locator('.event').count()).toBe(1)
    await obtainKey(pages.server)
    await askForKey(pages.server, {}, { id: CLIENT, secret: 'wrong' })
    await page.locator('.event', { hasText: 'wrong client secret' }).nth(1).waitFor()
    expect(await page.locator('.event b').allTextContents()).toEqual(['3 times'])
  })

  itInAll('counts one and several in plain words', async () => {
    const page = await pages.open()
    await page.route('**/api/overview', async (route) => {
      const overview = await (await route.fetch()).json()
      await route.fulfill({
        json: { ...overview, keys: { ...overview.keys, issued: 1, redeemed: 2 }, locks: 1 },
      })
    })
    await obtainKey(pages.server)
    for (const name of ['Issued 1 key not used yet', 'Redeemed 2 used keys', 'Locks 1 client with a lock'])
      await page.getByRole('link', { name }).waitFor()
  })

  itInAll('links each number to its list', async () => {
    await pages.attack()
    await obtainKey(pages.server)
    const page = await pages.open()
    await page.getByRole('link', { name: /^Redeemed \d used keys?$/ }).click()
    await page.getByRole('heading', { name: 'Keys', exact: true }).waitFor()
    expect(page.url()).toMatch(/#\/keys\?state=redeemed$/)
    expect(await page.locator('tbody tr').count()).toBe(1)
  })

  it('shows an event and a finding within two seconds, and nothing else moves', async () => {
    for (let i = 0; i < 8; i += 1) await obtainKey(pages.server)
    const page = await pages.open()
    await page.locator('.stream.live').waitFor()
    const places = await page.evaluate(PLACES)
    await obtainKey(pages.server)
    await page.locator('.event:nth-child(9)', { hasText: 'Key issued' }).waitFor({ timeout: 2_000 })
    expect(await page.evaluate(PLACES)).toEqual(places)
    await pages.attack()
    await page.getByRole('heading', { name: 'A used key was sent again' }).waitFor({ timeout: 4_000 })
  })
})

describe('every view', () => {
  async function expectNoFaults(views: readonly string[], rules?: readonly string[]): Promise<void> {
    const key = await pages.attack()
    const page = await pages.open()
    await page.emulateMedia({ colorScheme: rules ? 'dark' : 'light', reducedMotion: 'reduce' })
    for (const view of views) {
      const parameters =
        { key: `?${new URLSearchParams(key)}`, client: `?clientId=${key.clientId}` }[view] ?? ''
      await go(page, `${view}${parameters}`)
      expect([view, await accessibilityFaults(page, { rules })]).toEqual([view, []])
    }
    expect(pages.complaints).toEqual([])
  }

  const few = (views: readonly string[]) => sampled(views, () => 0)
  const LISTS = ['findings', 'keys', 'clients', 'locks']
  const OTHERS = ['', 'key', 'client', 'events']

  it('has no serious fault that axe finds, if it is a list', () => expectNoFaults(few(LISTS)))

  itInAll('has no serious fault that axe finds, if it is something else', () => expectNoFaults(few(OTHERS)))

  itInAll('has enough contrast in dark colours', () =>
    expectNoFaults(few([...OTHERS, ...LISTS]), ['color-contrast']),
  )

  itInAll('fits into 390 pixels', async () => {
    const { clientId, keyId } = await pages.attack()
    const page = await pages.open('', PHONE)
    for (const view of [
      '',
      'findings',
      'keys',
      `key?clientId=${clientId}&keyId=${keyId}`,
      'clients',
      'locks',
      'events',
    ]) {
      await go(page, view)
      expect([view, await excessWidth(page), await page.evaluate(CUT)]).toEqual([view, 0, []])
    }
  })

  itInAll('finds clients by a part of their ids, and unused clients by their whole ids', async () => {
    const key = clientKey()
    await bindByProof(pages.server, key, { requested_subject: 'device:7' })
    await askSigned(pages.server, key, 'device:7')
    const page = await pages.open('clients')
    const names = () => page.locator('tbody th').allTextContents()
    expect((await names()).sort()).toEqual(['device:7', CLIENT].sort())
    for (const [search, found] of [
      ['device', ['device:7']],
      ['bystander', ['bystander']],
      ['bystand', []],
    ] as const) {
      await go(page, `clients?search=${search}`)
      expect([search, await names()]).toEqual([search, found])
    }
    await page.getByLabel('Client id, or a part of it').fill('DEVICE')
    await button(page, 'Filter').click()
    await page.getByRole('link', { name: 'device:7' }).waitFor()
    expect(page.url()).toMatch(/#\/clients\?search=DEVICE$/)
  })

  itInAll('shows each cell of a table with its label on a phone', async () => {
    await pages.attack()
    const page = await pages.open('keys', PHONE)
    const row = page.locator('tbody tr').first()
    for (const label of ['Client', 'For', 'State', 'Age', 'Expires'])
      expect(await row.locator(`td[data-label="${label}"]`).boundingBox()).toMatchObject({
        x: expect.any(Number),
      })
    await go(page, 'clients')
    const box = await button(page, 'Lock').boundingBox()
    expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThan(PHONE.width)
    expect(await page.getByRole('cell').count()).toBe(4)
    await page.getByRole('link', { name: 'Events' }).click()
  })

  itInAll('has pages and filters for long lists', async () => {
    for (let i = 0; i < 60; i += 1) await obtainKey(pages.server)
    const page = await pages.open('keys')
    expect(await page.locator('tbody tr').count()).toBe(50)
    await page.getByRole('link', { name: 'Next page' }).click()
    await page.getByRole('link', { name: 'First page' }).waitFor()
    expect(await page.locator('tbody tr').count()).toBe(10)
    await page.getByLabel('Whole client id').fill('nobody')
    await button(page, 'Filter').click()
    await page.getByText('No key matches this filter.').waitFor()
    expect(page.url()).toMatch(/#\/keys\?clientId=nobody$/)
  })
})

describe('the list of events', () => {
  itInAll('keeps a theft while strangers cause refusals', async () => {
    const page = await pages.open()
    const types = await page.evaluate<string[]>(
      `(async () => {
        const { EventLog } = await import(new URL('events.mjs', document.querySelector('script[type]').src))
        const log = new EventLog()
        log.add({ id: 'p.0', at: 0, type: 'key.replayed' })
        for (let i = 1; i <= 600; i += 1) log.add({ id: 'p.' + i, at: i, type: 'request.refused' })
        return log.events.map(({ type }) => type)
      })()`,
    )
    expect([types.length, types.at(-1)]).toEqual([500, 'key.replayed'])
  })
})

/** What a page gets that is first connected to the process a, and then to the process b. */
const STREAMS = [
  [
    { id: 'a.1', at: 1_000, type: 'key.issued' },
    { type: 'heartbeat' },
    { id: 'a.2', at: 1_001, type: 'key.issued' },
  ],
  [
    { id: 'b.1', at: 100, type: 'client.locked' },
    { id: 'b.2', at: 1_003, type: 'key.issued' },
    { type: 'heartbeat' },
    { id: 'b.3', at: 1_002, type: 'key.issued' },
  ],
]

describe('the stream of events', () => {
  itInAll(
    'puts the earlier events of another process in their place, and does not take old ones for new',
    async () => {
      const page = await pages.open()
      const [seen, order] = await page.evaluate<[unknown, unknown]>(
        `(async () => {
        const { EventLog, EventStream } = await import(new URL('events.mjs', document.querySelector('script[type]').src))
        const streams = ${JSON.stringify(STREAMS)}
        const api = {
          get isEnded() { return streams.length === 0 },
          async send() { return new Response(streams.shift().map((line) => JSON.stringify(line) + '\\n').join('')) },
        }
        const log = new EventLog()
        const seen = []
        const on = { state() {}, event({ id }, isNew) { seen.push([id, isNew]) } }
        await new EventStream(api, log, on).run()
        return [seen, log.events.map(({ id }) => id)]
      })()`,
      )
      expect(seen).toEqual([
        ['a.1', false],
        ['a.2', true],
        ['b.1', false],
        ['b.2', true],
        ['b.3', true],
      ])
      expect(order).toEqual(['b.2', 'b.3', 'a.2', 'a.1', 'b.1'])
    },
  )
})

describe('the files of the page', () => {
  it('are small in the package', () => {
    const { document, files } = readPageFiles(
      require('../../dist/administration/page-content.js').readPageContent(),
    )
    const sizes = [document, ...files.values()].map(({ content }) => gzipSync(content).length)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(60 * 1_024)
  })

  it('have words for every rule and every event', async () => {
    const page = await pages.open()
    const load = (file: string) =>
      `(await import(new URL('${file}', document.querySelector('script[type]').src)))`
    const rules = await page.evaluate<Record<string, string>>(
      `(async () => {
        const { RULE_IDS, wordsOfRule } = ${load('rules.mjs')}
        return Object.fromEntries(RULE_IDS.map((id) => [id, wordsOfRule(id).next[0]]))
      })()`,
    )
    const codes = Object.keys(SEVERITY)
    const words = await page.evaluate<string[]>(
      `(async () => ${JSON.stringify(codes)}.map(${load('event-words.mjs')}.wordsOfCode))()`,
    )
    expect(Object.keys(rules).sort()).toEqual(Object.keys(RULES).sort())
    const soon = { high: ['now', 'today'], warning: ['today', 'none'], notice: ['week'], info: ['week'] }
    const unfitting = Object.values(RULES).filter(
      ({ id, severity }) => !soon[severity].includes(rules[id] ?? ''),
    )
    expect(unfitting.map(({ id }) => id)).toEqual([])
    // These have words for each outcome, or for their rule.
    const own = ['finding.opened', 'finding.updated', 'key.redeemed', 'client.locked']
    const wordless = codes.filter((code, i) => words[i] === code.replace(/[._]/g, ' '))
    expect(wordless.filter((code) => !own.includes(code))).toEqual([])
  })
})
