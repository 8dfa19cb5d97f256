import express, { type Request } from 'express'
import { isSecure, trustedProxies } from '../../lib/http/trusted-proxies.js'

/** A request over HTTP of an app with a setting for proxies. */
function requestFrom(remoteAddress: string, trust: unknown, proto?: string): Request {
  const app = express().set('trust proxy', trust)
  const headers = proto === undefined ? {} : { 'x-forwarded-proto': proto }
  return { app, headers, socket: { remoteAddress } } as unknown as Request
}

describe('trusted proxies', () => {
  it('are found by the address of the connection', () => {
    const proxies = trustedProxies()
    const app = express().set('trust proxy', ['10.0.0.0/8', '::1'])
    const hasSent = (remoteAddress?: string) =>
      proxies.hasSent({ app, socket: { remoteAddress } } as unknown as Request)
    for (const address of ['10.1.2.3', '::1', '::ffff:10.9.9.9']) {
      expect(hasSent(address)).toBe(true)
      expect(hasSent(address)).toBe(true)
    }
    for (const address of ['11.1.2.3', '::2', 'no address', undefined]) {
      expect(hasSent(address)).toBe(false)
      expect(hasSent(address)).toBe(false)
    }
  })

  it('change with the setting', () => {
    const proxies = trustedProxies()
    const req = requestFrom('10.1.2.3', 'loopback')
    expect(proxies.hasSent(req)).toBe(false)
    req.app.set('trust proxy', '10.1.2.3')
    expect(proxies.hasSent(req)).toBe(true)
    req.app.set('trust proxy', false)
    expect(proxies.hasSent(req)).toBe(false)
  })

  it('are asked for again if the setting is a function of the host', () => {
    const proxies = trustedProxies()
    const trusted = new Set<string>()
    const req = requestFrom('10.1.2.3', (address: string) => trusted.has(address))
    expect(proxies.hasSent(req)).toBe(false)
    trusted.add('10.1.2.3')
    expect(proxies.hasSent(req)).toBe(true)
    trusted.clear()
    expect(proxies.hasSent(req)).toBe(false)
  })

  it('are judged per app, although two apps share the memory', () => {
    const proxies = trustedProxies()
    expect(proxies.hasSent(requestFrom('10.1.2.3', '10.0.0.0/8'))).toBe(true)
    expect(proxies.hasSent(requestFrom('10.1.2.3', 'loopback'))).toBe(false)
  })
})

describe('isSecure', () => {
  it.each([
    ['https', true],
    ['HTTPS', true],
    ['https, https', true],
    ['https,http', false],
    ['', false],
    [undefined, false],
  ])('takes X-Forwarded-Proto: %p of a trusted proxy for %p', (proto, expected) => {
    expect(isSecure(requestFrom('127.0.0.1', 'loopback', proto), trustedProxies())).toBe(expected)
  })

  it('ignores the header of a stranger on an encrypted connection', () => {
    const req = requestFrom('192.0.2.1', 'loopback', 'http')
    Object.assign(req.socket, { encrypted: true })
    expect(isSecure(req, trustedProxies())).toBe(true)
  })
})
