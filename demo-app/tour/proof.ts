import { generateKeyPairSync, sign } from 'node:crypto'

/** Makes a key pair, and a JWT that proves that whoever presents the provisioning key holds its private half. */
export function proveNewKey(endpoint: string, provisioningKey: string): { jwk: object; proof: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const header = { typ: 'provisioning-binding+jwt', alg: 'ES256' }
  const claims = { aud: endpoint, key_id: keyIdOf(provisioningKey), iat: Math.floor(Date.now() / 1000) }
  const signed = `${encode(header)}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return { jwk: publicKey.export({ format: 'jwk' }), proof: `${signed}.${signature.toString('base64url')}` }
}

function encode(json: object): string {
  return Buffer.from(JSON.stringify(json)).toString('base64url')
}

function keyIdOf(provisioningKey: string): string {
  const [, claims = ''] = provisioningKey.split('.')
  return JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')).jti
}
