import { generateKeyPairSync } from 'node:crypto'
import { SecretSearch } from '../../../lib/checks/client/secret-search'

const SECRET = 'n4gU-8_sVx2mQ0pLr7tYbZ1cKd5eWf6h'
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })

function leaksOf(text: string, chunkBytes = text.length): readonly string[] {
  const search = new SecretSearch()
  search.add('the client secret', SECRET)
  const write = search.stream('stdout')
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += chunkBytes) write(bytes.subarray(at, at + chunkBytes))
  return search.leaks
}

const base64 = (text: string) => Buffer.from(text).toString('base64')

describe('the search for secrets', () => {
  it.each([
    ['as it is', `secret=${SECRET}&a=b`, ''],
    ['on several lines', SECRET.replace(/.{10}/g, '$&\n'), ''],
    ['in hex', Buffer.from(`x${SECRET}`).toString('hex'), ' (in hex)'],
    [
      'in percent-encoding',
      `${SECRET}`.replace(/./g, (one) => `%${Buffer.from(one).toString('hex')}`),
      ' (in hex)',
    ],
    ['in the base64 of HTTP Basic', base64(`fleet:${SECRET}`), ' (in base64)'],
    ['in base64 at another offset', base64(`a:${SECRET}:b`), ' (in base64)'],
    ['in base64 at the last offset', base64(`ab:${SECRET}`), ' (in base64)'],
    ['in base64url', Buffer.from(`fleet:${SECRET}`).toString('base64url'), ' (in base64)'],
    ['in base64 in a form', encodeURIComponent(base64(`~~~${SECRET}???`)), ' (in base64)'],
  ])('finds a secret %s', (_, text, spelling) => {
    expect(leaksOf(text)).toEqual([`the client secret${spelling} in stdout`])
  })

  it.each([
    ['in PEM', String(privateKey.export({ format: 'pem', type: 'pkcs8' }))],
    ['in SEC 1 PEM', String(privateKey.export({ format: 'pem', type: 'sec1' }))],
    ['as a JWK', JSON.stringify(privateKey.export({ format: 'jwk' }))],
    [
      'as a JWK in a JSON text',
      JSON.stringify({ key: JSON.stringify(privateKey.export({ format: 'jwk' }), null, 2) }),
    ],
    ['of RSA as a JWK', JSON.stringify(rsa.privateKey.export({ format: 'jwk' }))],
    ['as a printed object', `{ kty: 'EC', d: '${privateKey.export({ format: 'jwk' }).d}' }`],
  ])('finds a private key %s', (_, text) => {
    expect(leaksOf(text)).toEqual(['a private key in stdout'])
  })

  it('finds secrets in pieces of any size', () => {
    const text = `${'.'.repeat(1000)}${base64(`fleet:${SECRET}`)}${'.'.repeat(1000)}`
    for (const chunkBytes of [1, 7, 1024]) expect(leaksOf(text, chunkBytes)).toHaveLength(1)
    expect(leaksOf(`{"d":"${'a'.repeat(683)}"}`, 7)).toEqual(['a private key in stdout'])
  })

  it('finds a secret in the middle of megabytes', () => {
    const noise = 'all is well\n'.repeat(200_000)
    expect(leaksOf(noise + SECRET + noise, 65_536)).toHaveLength(1)
  })

  it('knows a JWT by its signature', () => {
    const search = new SecretSearch()
    search.add('the provisioning key', `eyJhIjoxfQ.eyJiIjoyfQ.${SECRET}`)
    expect(search.find(`...${SECRET}`)).toEqual(['the provisioning key'])
    expect(search.find('eyJhIjoxfQ.eyJiIjoyfQ')).toEqual([])
  })

  it('finds nothing in public keys, ids and parts of a secret', () => {
    expect(leaksOf(JSON.stringify(publicKey.export({ format: 'jwk' })))).toEqual([])
    expect(leaksOf(JSON.stringify(rsa.publicKey.export({ format: 'jwk' })))).toEqual([])
    expect(leaksOf(String(publicKey.export({ format: 'pem', type: 'spki' })))).toEqual([])
    expect(leaksOf(`{"id":"${'a'.repeat(43)}"} ${SECRET.slice(0, 20)}`)).toEqual([])
  })
})
