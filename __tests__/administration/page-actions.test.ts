import { bindByProof, postSigned } from '../support/bound-client.js'
import { accessibilityFaults } from '../support/browser.js'
import { clientKey } from '../support/client-assertion.js'
import { button, confirm, go, OperatorPages, textOf, VICTOR } from '../support/operator-page.js'
import { keyRefOf } from '../support/redeeming.js'
import { askForKey, exchangeKey, obtainKey, send } from '../support/requests.js'
import { CLIENT } from '../support/server.js'

const pages = new OperatorPages()

describe('an operator', () => {
  it('unlocks a client with the keyboard alone', async () => {
    await pages.attack()
    const page = await pages.open('locks')
    await page.locator('tbody').getByRole('button', { name: 'Unlock' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Unlock this client?' }).waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByText('The client is unlocked.').waitFor()
    await page.getByText('No client is locked.').waitFor()
    expect(await pages.server.keys.locks()).toEqual([])
    expect(await page.evaluate('document.activeElement.id')).toBe('main')
  })

  it('locks a client longer, and the server knows who did it', async () => {
    await pages.attack()
    const page = await pages.open('locks')
    await button(page, 'Longer').click()
    const dialog = page.getByRole('dialog')
    expect(await accessibilityFaults(page)).toEqual([])
    await dialog.getByLabel('Hours').fill('48')
    await button(page, 'Lock longer').click()
    await page.getByText('The client is locked.').waitFor()
    const [lock] = await pages.server.keys.locks()
    expect(lock).toMatchObject({
      clientId: 'bystander',
      kind: 'lock',
      author: 'alice',
      reason: 'ticket 4711',
    })
    expect((lock?.until ?? 0) - (lock?.lockedAt ?? 0)).toBe(48 * 3_600)
  })

  it('locks any client, and a reason is required', async () => {
    const page = await pages.open('locks')
    await button(page, 'Lock a client').click()
    await page.getByLabel('Client', { exact: true }).fill(CLIENT)
    await page.getByLabel('Bound keys only').check()
    await button(page, 'Lock client').click()
    expect(await pages.server.keys.locks()).toEqual([])
    await page.getByLabel('Reason').fill('a drill')
    await button(page, 'Lock client').click()
    await page.getByText('The client is locked.').waitFor()
    expect(await pages.server.keys.locks()).toMatchObject([
      { clientId: CLIENT, kind: 'stepUp', reason: 'a drill' },
    ])
  })

  it('closes a finding', async () => {
    await pages.attack()
    const page = await pages.open('findings')
    await button(page, 'Close finding').click()
    await confirm(page, 'Close finding').click()
    await page.getByText('No findings are open.').waitFor()
    expect(await pages.server.keys.findings()).toEqual([])
  })

  it('revokes a key, and what a redeemed key gave', async () => {
    const issued = keyRefOf(await obtainKey(pages.server))
    const used = await obtainKey(pages.server, { scope: 'provision:token devices:read' })
    await exchangeKey(pages.server, used)
    const page = await pages.open(`key?${new URLSearchParams(issued)}`)
    await button(page, 'Revoke key').click()
    await confirm(page, 'Revoke key').click()
    await page.getByText('The key is revoked.').waitFor()
    await go(page, `key?${new URLSearchParams(keyRefOf(used))}`)
    await button(page, 'Revoke everything it gave').click()
    await button(page, 'Revoke everything').last().click()
    await page.getByText('What the server gave for the key is revoked.').waitFor()
    await page.getByText('Operator: revoke family').waitFor()
  })

  it('removes a binding, and knows that keys of the device still work until its client is locked', async () => {
    const device = clientKey()
    const scope = 'provision:bind devices:read'
    await bindByProof(pages.server, device, { requested_subject: 'device:7', scope })
    const signed = { key: device, clientId: 'device:7' }
    const form = { grant_type: 'client_credentials', scope: 'devices:read' }
    const ask = () => postSigned(pages.server, '/oauth/token', signed, form)
    const Authorization = `Bearer ${(await ask()).body.access_token}`
    const page = await pages.open('client?clientId=device:7')
    await button(page, 'Remove').click()
    const words =
      'Its provisioning keys and access tokens work until they expire. To stop them now, lock the client too.'
    await page.getByRole('dialog').getByText(words).waitFor()
    await confirm(page, 'Remove binding').click()
    await page.getByText('The binding is removed.').waitFor()
    expect((await ask()).status).toBe(401)
    const use = async () => (await send(pages.server, 'get', '/devices').set({ Authorization })).status
    expect(await use()).toBe(200)
    await pages.server.keys.lockClient({ clientId: 'device:7', reason: 'stolen', author: 'alice' })
    expect(await use()).toBe(401)
  })

  it('revokes the keys of all clients only after a second confirmation', async () => {
    await obtainKey(pages.server)
    const page = await pages.open('keys')
    await button(page, 'Revoke the keys of all clients').click()
    await confirm(page, 'Revoke all keys').click()
    expect(await page.locator('tr', { hasText: 'Issued' }).count()).toBe(1)
    await page.getByLabel('I want to revoke the keys of all clients').check()
    await confirm(page, 'Revoke all keys').click()
    await page.getByText('All these keys are revoked.').waitFor()
    await page.locator('tr', { hasText: 'Revoked' }).waitFor()
  })

  it('revokes all keys of one client, and deletes the client', async () => {
    const page = await pages.open(`client?clientId=${CLIENT}`)
    await obtainKey(pages.server)
    await button(page, 'Revoke all keys').click()
    await page
      .getByRole('dialog')
      .getByText(/lock the client too/)
      .waitFor()
    await confirm(page, 'Revoke all keys').click()
    await page.locator('tr', { hasText: 'Revoked' }).waitFor()
    await button(page, 'Delete client').click()
    await confirm(page, 'Delete client').click()
    await page.getByText('The client is deleted.').waitFor()
    expect((await askForKey(pages.server)).status).toBe(401)
  })

  it('sees why an action fails, and can try again', async () => {
    await pages.attack()
    const page = await pages.open('locks')
    await button(page, 'Unlock').click()
    await page.route('**/clients/unlock', (route) => route.abort(), { times: 1 })
    const again = confirm(page, 'Unlock')
    await again.click()
    await page.getByRole('alert').getByText('The server cannot be reached.').waitFor()
    await again.click()
    await page.getByText('The client is unlocked.').waitFor()
  })
})

describe('a reader', () => {
  const ACTIONS = /Lock|Unlock|Longer|Close finding|Revoke|Remove|Delete/

  it('sees everything, and no button that changes something', async () => {
    const { clientId, keyId } = await pages.attack()
    pages.access = VICTOR
    const page = await pages.open()
    expect(await textOf(page)).toContain('victor · read only')
    const key = `key?clientId=${clientId}&keyId=${keyId}`
    for (const view of ['', 'findings', key, 'keys', 'clients', `client?clientId=${clientId}`, 'locks']) {
      await go(page, view)
      expect([view, await button(page, ACTIONS).count()]).toEqual([view, 0])
    }
  })

  it('who was an operator a moment ago cannot act any more', async () => {
    await pages.attack()
    const page = await pages.open('locks')
    await button(page, 'Unlock').click()
    pages.access = VICTOR
    await confirm(page, 'Unlock').click()
    await page.getByRole('alert').getByText('You may only read.').waitFor()
    await page.keyboard.press('Escape')
    await page.locator('.role', { hasText: 'read only' }).waitFor()
    expect(await button(page, ACTIONS).count()).toBe(0)
    expect(await pages.server.keys.locks()).toHaveLength(1)
  })
})
