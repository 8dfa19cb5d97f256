import { runInThisContext } from 'node:vm'
import express from 'express'
import { exactly } from '../support/exact.js'
import { mountAll, startServer } from '../support/server.js'
import { codeIn, tableRows } from './markdown'

/** The settings that the guide calls too wide, as a user writes them. */
function permissiveSettings(): string[] {
  const rows = tableRows('docs/guides/behind-a-proxy.md', 'Behind a proxy')
  return codeIn(rows.find(([setting]) => setting?.startsWith('Too wide'))?.[0] ?? '')
}

describe('the settings of trust proxy that the guide calls too wide', () => {
  it('are several', () => {
    expect(permissiveSettings().length).toBeGreaterThan(3)
  })

  test.each(permissiveSettings())('%s: every request gets 500, and the warning', async (setting) => {
    const spy = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const server = await startServer({
      mount(app, keys) {
        app.set('trust proxy', runInThisContext(`(${setting})`))
        mountAll(app, keys)
      },
    })
    try {
      const cleartextPort = await server.openHttp()
      const headers = { 'X-Forwarded-Proto': 'https' }
      const asked = { method: 'GET', path: '/oauth/jwks', headers }
      expect(await exactly(server, asked)).toMatchObject({ status: 500 })
      expect(await exactly(server, { ...asked, cleartextPort })).toMatchObject({ status: 500 })
      const warning = [expect.any(String), expect.objectContaining({ code: 'EPK_TRUST_PROXY' })]
      expect(spy.mock.calls).toEqual([warning])
    } finally {
      spy.mockRestore()
      await server.close()
    }
  })

  test.each(['0.0.0.0/0', '::/0'])('do not have %s, which Express refuses itself', (setting) => {
    expect(() => express().set('trust proxy', setting)).toThrow(/invalid range/)
  })
})
