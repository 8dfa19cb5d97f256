import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ProvisionError, provision } from '../../lib/client/client.js'
import { pinnedFetch } from '../../lib/client/node.js'
import { makeAuthority, makeCertificate } from '../support/certificates.js'
import { TYPESCRIPT } from '../support/run-program.js'
import { closeServer } from '../support/server.js'
import { deviceOf, failureOf, startIssuer } from './issuer.js'

const root = makeAuthority('Private CA')
const names = [['dns', 'localhost']] as const
const leaf = makeCertificate({ issuer: root, names })
const fingerprint = (cert: string) => new X509Certificate(cert).fingerprint256

const requests: string[] = []
const servers: Server[] = []

async function serve(cert: string, key: string): Promise<string> {
  const server = createServer({ cert, key }, (req, res) => {
    const parts: Buffer[] = []
    req.on('data', (part) => parts.push(part))
    req.on('end', () => {
      requests.push(`${req.method} ${req.url} ${Buffer.concat(parts)}`)
      if (req.url === '/empty') res.writeHead(204).end()
      else res.writeHead(201, { 'X-A': ['b', 'c'] }).end('created')
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `https://localhost:${(server.address() as AddressInfo).port}`
}

afterAll(() => Promise.all(servers.map(closeServer)))

beforeEach(() => {
  requests.length = 0
})

describe('pinnedFetch()', () => {
  it('sends requests to a server whose authority has the fingerprint', async () => {
    const origin = await serve(leaf.cert + root.cert, leaf.key)
    for (const sha256 of [fingerprint(root.cert), fingerprint(root.cert).replaceAll(':', '').toLowerCase()]) {
      const pinned = pinnedFetch({ sha256 })
      const answer = await pinned(`${origin}/things`, { method: 'POST', body: 'a' })
      expect([answer.status, await answer.text(), answer.headers.get('X-A')]).toEqual([
        201,
        'created',
        'b, c',
      ])
      expect((await pinned(new Request(`${origin}/empty`))).status).toBe(204)
    }
    expect(requests.slice(0, 2)).toEqual(['POST /things a', 'GET /empty '])
  })

  it.each([
    ['another authority', leaf.cert + root.cert, leaf.key, fingerprint(makeAuthority('Other').cert)],
    ['a server that does not send its authority', leaf.cert, leaf.key, fingerprint(root.cert)],
  ])('sends nothing to %s', async (_, cert, key, sha256) => {
    const origin = await serve(cert, key)
    const failure = await pinnedFetch({ sha256 })(origin, { method: 'POST', body: 'secret' }).catch(
      (error) => error,
    )
    expect(failure).toBeInstanceOf(ProvisionError)
    expect(failure.message).toContain('has no certificate with the SHA-256 fingerprint')
    expect(requests).toEqual([])
  })

  it.each([
    ['another name', { names: [['dns', 'other.example']] as const }],
    ['an end in the past', { names, notAfter: new Date(Date.now() - 1000) }],
  ])('sends nothing to a server of the authority whose certificate has %s', async (_, plan) => {
    const wrong = makeCertificate({ issuer: root, ...plan })
    const origin = await serve(wrong.cert + root.cert, wrong.key)
    await expect(pinnedFetch({ sha256: fingerprint(root.cert) })(origin)).rejects.toThrow()
    expect(requests).toEqual([])
  })

  it('sends nothing to a server that shows the authority, but is not signed by it', async () => {
    const foreign = makeCertificate({ issuer: makeAuthority('Private CA'), names })
    const origin = await serve(foreign.cert + root.cert, foreign.key)
    await expect(pinnedFetch({ sha256: fingerprint(root.cert) })(origin)).rejects.toThrow()
    expect(requests).toEqual([])
  })

  it('checks certificates although NODE_TLS_REJECT_UNAUTHORIZED switches that off for others', async () => {
    const foreign = makeCertificate({ issuer: makeAuthority('Private CA'), names })
    const origin = await serve(foreign.cert + root.cert, foreign.key)
    const client = join(__dirname, '../../lib/client/node.ts')
    const code = `require(${JSON.stringify(client)})
      .pinnedFetch({ sha256: ${JSON.stringify(fingerprint(root.cert))} })(${JSON.stringify(origin)}, { method: 'POST', body: 'secret' })
      .then(({ status }) => console.log(status), ({ code }) => console.log(code))`
    const env = { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0' }
    const { stdout } = await promisify(execFile)(process.execPath, [...TYPESCRIPT, '-e', code], { env })
    expect(stdout.trim()).toBe('CERT_SIGNATURE_FAILURE')
    expect(requests).toEqual([])
  })

  it('takes https URLs and fingerprints only', async () => {
    expect(() => pinnedFetch({ sha256: 'ab:cd' })).toThrow('sha256: expected 64 hex digits')
    const pinned = pinnedFetch({ sha256: fingerprint(root.cert) })
    await expect(pinned('http://localhost:1')).rejects.toThrow('expected an https URL, got http:')
  })

  it('can be aborted, and tries again after a failure', async () => {
    const origin = await serve(leaf.cert + root.cert, leaf.key)
    const pinned = pinnedFetch({ sha256: fingerprint(root.cert) })
    await expect(pinned(origin, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i)
    expect((await pinned(origin)).status).toBe(201)
  })

  it('lets a device enroll at a private issuer', async () => {
    const issuer = await startIssuer()
    try {
      const pinned = pinnedFetch({ sha256: fingerprint(issuer.cert) })
      expect((await provision(deviceOf(issuer, { fetch: pinned }))).clientId).toBe('device:7')
      const wrong = pinnedFetch({ sha256: fingerprint(root.cert) })
      const failure = await failureOf(deviceOf(issuer, { fetch: wrong }))
      expect(failure).toMatchObject({ code: 'issuer_untrusted', isTransient: true })
    } finally {
      await issuer.close()
    }
  })
})
