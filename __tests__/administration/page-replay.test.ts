import { go, OperatorPages } from '../support/operator-page.js'
import { keyRefOf, until } from '../support/redeeming.js'
import { obtainKey, send } from '../support/requests.js'

const pages = new OperatorPages()

/** Redeems a key at a route of the app, and sends it again. */
async function replayAtRoute(): Promise<{ clientId: string; keyId: string }> {
  const key = await obtainKey(pages.server, { scope: 'devices:create', requested_subject: 'device:b6' })
  const use = () => send(pages.server, 'post', '/devices').set('Authorization', `Bearer ${key}`)
  expect([(await use()).status, (await use()).status]).toEqual([201, 401])
  await until(async () => (await pages.server.keys.findings()).length > 0)
  return keyRefOf(key)
}

describe('a replay of a key that a route of the app has redeemed', () => {
  it('is left to the app, by the names of the key and the device', async () => {
    const { keyId } = await replayAtRoute()
    const page = await pages.open()
    const step = `undo what your route did with key ${keyId} for device:b6, unless your app has done so.`
    const card = page.locator('.card', { hasText: 'A used key was sent again' })
    expect(await card.locator('.next').textContent()).toBe(`Now: ${step}`)
    expect(await page.locator('.status .next').textContent()).toBe(`What to do nowNow: ${step}`)
    expect(await card.locator('.response').textContent()).not.toMatch(/revoked|new one/)
    expect(await card.locator('.samples').textContent()).toMatch(/ · for device:b6 · from 127\.0\.0\.1/)
    expect(await card.locator('.steps li').first().textContent()).toMatch(/is route, .* has undone nothing/)
  })

  it('names the device in each event', async () => {
    await replayAtRoute()
    const page = await pages.open('events')
    const replay = page.locator('.event', { hasText: 'Used key sent again' })
    expect(await replay.locator('.meta').first().textContent()).toMatch(
      /^ci-runnerkey \S+for device:b6from 127/,
    )
  })

  it('is not said to be revoked on the page of the key', async () => {
    const ref = await replayAtRoute()
    const page = await pages.open()
    await go(page, `key?${new URLSearchParams(ref)}`)
    expect(await page.locator('.facts').textContent()).toMatch(
      /What it gavewhat your route did with the key: the server cannot undo this$/,
    )
  })

  it('is left to the app also in a process that has not seen it, which says whose events it has', async () => {
    const ref = await replayAtRoute()
    const page = await pages.open('events')
    await page.route('**/api/events*', (route) => route.abort())
    await page.reload()
    await go(page, 'findings')
    expect(await page.locator('.card .next').textContent()).toBe(
      `Now: undo what your route did with key ${ref.keyId} for device:b6, unless your app has done so.`,
    )
    await go(page, `key?${new URLSearchParams(ref)}`)
    await page.getByText('These are only the events of this process.').waitFor()
  })
})
