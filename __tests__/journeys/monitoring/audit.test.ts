import type { ProvisioningEvent } from '../../../lib/index.js'
import { askForKey, exchangeKey, obtainKey, send } from '../../support/requests.js'
import { SECRET, startServer } from '../../support/server.js'

const SCOPE = { scope: 'provision:token devices:read' }

/** A server with an audit log that a test can break. */
async function audited(failClosed: boolean) {
  const log: string[] = []
  const sink = { isBroken: false }
  const server = await startServer({
    options: {
      audit: {
        failClosed,
        sink: async ({ type }: ProvisioningEvent) => {
          await new Promise((resolve) => setImmediate(resolve))
          if (sink.isBroken) throw new Error('ENOSPC')
          log.push(type)
        },
      },
    },
  })
  return { server, log, sink }
}

describe('an audit log that must not fail', () => {
  it('has each event before the client has the answer', async () => {
    const { server, log } = await audited(true)
    try {
      const key = await obtainKey(server, SCOPE)
      expect(log).toEqual(['key.issued'])
      expect((await exchangeKey(server, key)).status).toBe(200)
      expect(log.slice(0, 2)).toEqual(['key.issued', 'redemption.started'])
    } finally {
      await server.close()
    }
  })

  it('stops issuance with 503, and leaves no key', async () => {
    const { server, sink } = await audited(true)
    try {
      sink.isBroken = true
      const answer = await askForKey(server, SCOPE)
      expect([answer.status, answer.body.error]).toEqual([503, 'temporarily_unavailable'])
      expect(answer.body.access_token).toBeUndefined()
      const issued = server.events.find(({ type }) => type === 'key.issued')
      expect(server.events.at(-1)).toMatchObject({ type: 'request.refused', reason: 'audit_unavailable' })
      const keyId = issued !== undefined && 'keyId' in issued ? String(issued.keyId) : ''
      expect(await server.keys.revokeKey({ clientId: 'ci-runner', keyId })).toBe('unchanged')
    } finally {
      await server.close()
    }
  })

  it('stops a redemption with 503, and the client can repeat it later', async () => {
    const { server, sink } = await audited(true)
    try {
      const key = await obtainKey(server, SCOPE)
      sink.isBroken = true
      const refused = await exchangeKey(server, key)
      expect([refused.status, refused.body.error]).toEqual([503, 'temporarily_unavailable'])
      sink.isBroken = false
      expect((await exchangeKey(server, key)).status).toBe(200)
    } finally {
      await server.close()
    }
  })

  it('does not stop verification', async () => {
    const { server, sink } = await audited(true)
    try {
      const key = await obtainKey(server, { scope: 'devices:read' })
      sink.isBroken = true
      const answer = await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`)
      expect(answer.status).toBe(200)
    } finally {
      await server.close()
    }
  })
})

describe('an audit log that may fail', () => {
  it('stops nothing, and needs no event of its own', async () => {
    const { server, log, sink } = await audited(false)
    try {
      const key = await obtainKey(server, SCOPE)
      sink.isBroken = true
      expect((await exchangeKey(server, key)).status).toBe(200)
      expect(log).toEqual(['key.issued'])
      expect(server.events.map(({ type }) => type)).not.toContain('redemption.started')
    } finally {
      await server.close()
    }
  })

  it('never gets a key or a secret', async () => {
    const seen: ProvisioningEvent[] = []
    const server = await startServer({ options: { audit: { sink: (event) => seen.push(event) } } })
    try {
      const key = await obtainKey(server, SCOPE)
      await exchangeKey(server, key).set('User-Agent', `agent ${key}`)
      const text = JSON.stringify(seen)
      for (const part of [...key.split('.'), SECRET]) expect(text).not.toContain(part)
    } finally {
      await server.close()
    }
  })
})
