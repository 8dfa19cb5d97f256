import type { KeyObject } from 'node:crypto'
import type { PresentedRequest } from '../../lib/base/request.js'
import { importPublicJwk, thumbprint } from '../../lib/jose/jwk.js'
import { parseJws, verifiesWith } from '../../lib/jose/jws.js'
import { readProof } from '../../lib/possession/dpop.js'
import type { Target } from '../../lib/possession/target.js'
import { signatureBytes, withSignature } from '../support/compact.js'
import { deployed, reasonOf, request } from '../support/deployed.js'

function imported(jwk: object): KeyObject {
  const key = importPublicJwk(jwk)
  if (typeof key === 'string') throw new Error(key)
  return key
}

function verifies(token: string, key: KeyObject): boolean {
  const jws = parseJws(token)
  if (typeof jws === 'string') throw new Error(jws)
  return verifiesWith(jws, key)
}

const PAYLOAD =
  'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ'

const EXAMPLES: readonly [name: string, jwk: object, token: string][] = [
  [
    'RFC 7515 A.2, RS256',
    {
      kty: 'RSA',
      n:
        'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ' +
        'S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2' +
        'R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD' +
        'TW9gb54h4FRWyuXpoQ',
      e: 'AQAB',
    },
    `eyJhbGciOiJSUzI1NiJ9.${PAYLOAD}.` +
      'cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t' +
      '1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j' +
      'zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ' +
      'Ge77Rw',
  ],
  [
    'RFC 7515 A.3, ES256',
    {
      kty: 'EC',
      crv: 'P-256',
      x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
      y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
    },
    `eyJhbGciOiJFUzI1NiJ9.${PAYLOAD}.` +
      'DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q',
  ],
  [
    'RFC 7515 A.4, ES512',
    {
      kty: 'EC',
      crv: 'P-521',
      x: 'AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk',
      y: 'ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2',
    },
    'eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.' +
      'AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZC' +
      'PEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn',
  ],
  [
    'RFC 8037 A.4, EdDSA',
    { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' },
    'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.' +
      'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
  ],
]

describe('the signatures of the RFCs', () => {
  it.each(EXAMPLES)('%s, verifies; with one bit changed it does not', (_, jwk, token) => {
    const key = imported(jwk)
    expect(verifies(token, key)).toBe(true)
    const bytes = signatureBytes(token)
    for (const at of [0, bytes.length >> 1, bytes.length - 1]) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(verifies(withSignature(token, changed), key)).toBe(false)
    }
    const [header = '', payload = '', signature] = token.split('.')
    const other = payload.startsWith('A') ? `B${payload.slice(1)}` : `A${payload.slice(1)}`
    expect(verifies(`${header}.${other}.${signature}`, key)).toBe(false)
  })

  it('the thumbprint of RFC 8037 A.3 is ours', () => {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
    expect(thumbprint(imported(jwk))).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  })
})

describe('the proofs of RFC 9449', () => {
  const HEADER =
    'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0Rs' +
    'cEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19'
  /** Figures 2 and 6. */
  const FOR_TOKEN =
    `${HEADER}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0` +
    'IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg'
  /** Figures 12 and 13. */
  const FOR_RESOURCE =
    `${HEADER}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRy` +
    'ZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrt' +
    'NP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA'
  const TOKEN = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU'
  const JKT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'
  const AT_TOKEN = { method: 'POST', url: 'https://server.example.com/token' }
  const AT_RESOURCE = { method: 'GET', url: 'https://resource.example.org/protectedresource' }

  function reader(seconds: number) {
    const { deployment, clock } = deployed()
    clock.seconds = seconds
    return (presented: PresentedRequest, target: Target, token?: string) =>
      readProof(deployment, presented, { target, ...(token !== undefined && { token, hashRequired: true }) })
  }

  it('the proof of 5 holds when and where it was made, and names the thumbprint of 6.1', () => {
    const read = reader(1562262616)
    expect(read(request({ dpop: [FOR_TOKEN] }), AT_TOKEN)?.thumbprint).toBe(JKT)
  })

  it('the proof of 7.1 holds for the access token of 7.1', () => {
    const read = reader(1562262618)
    expect(read(request({ dpop: [FOR_RESOURCE] }), AT_RESOURCE, TOKEN)?.thumbprint).toBe(JKT)
  })

  it('neither holds at the other place, with another token, or today', async () => {
    const read = reader(1562262618)
    const reasons = await Promise.all([
      reasonOf(() => read(request({ dpop: [FOR_TOKEN] }), AT_RESOURCE)),
      reasonOf(() => read(request({ dpop: [FOR_RESOURCE] }), { ...AT_TOKEN, method: 'GET' })),
      reasonOf(() => read(request({ dpop: [FOR_RESOURCE] }), AT_RESOURCE, `${TOKEN}x`)),
      reasonOf(() => read(request({ dpop: [FOR_TOKEN] }), AT_TOKEN, TOKEN)),
      reasonOf(() => reader(1_700_000_000)(request({ dpop: [FOR_TOKEN] }), AT_TOKEN)),
    ])
    expect(reasons).toEqual([
      'dpop_method_wrong',
      'dpop_target_wrong',
      'dpop_token_hash_wrong',
      'dpop_token_hash_wrong',
      'dpop_stale',
    ])
  })
})
