import { isActive } from '../../lib/ports/issuer-state.js'
import { reasonOf, refusalOf } from '../support/deployed.js'

const CLAIMS = {
  iss: 'https://auth.example.com',
  aud: 'https://api.example.com',
  sub: 'device:7',
  client_id: 'ci-runner',
  jti: 'a',
}
const answering = (answer: unknown) => async () => answer
const ask = (answer: unknown, claims: object = {}) =>
  isActive(answering(answer), 'token', { ...CLAIMS, ...claims })

describe('isActive', () => {
  it('is what the issuer says of the very token it was asked about', async () => {
    const asked: string[] = []
    const active = isActive(
      async (token) => asked.push(token) && { active: true, ...CLAIMS },
      'the token',
      CLAIMS,
    )
    expect([await active, asked]).toEqual([true, ['the token']])
    expect(await ask({ active: false })).toBe(false)
    expect(await ask({ active: true, ...CLAIMS, scope: 'x', username: 'y' })).toBe(true)
  })

  it('is no, however else the answer that says so looks', async () => {
    expect(await ask({ active: false, ...CLAIMS, jti: 'other' })).toBe(false)
  })

  it.each(Object.keys(CLAIMS))('is not known from an answer about another %s', async (name) => {
    for (const other of ['other', undefined, null, ['a'], { toString: () => 'a' }]) {
      const { reason, message, facts, disclosed } = await refusalOf(() =>
        ask({ active: true, ...CLAIMS, [name]: other }),
      )
      expect({ reason, message }).toEqual({
        reason: 'introspection_unavailable',
        message: `The issuer answered about another ${name}.`,
      })
      expect([facts, disclosed]).toEqual([{ clientId: 'ci-runner', jti: 'a' }, false])
    }
  })

  const [jkt, x5t] = ['thumbprint', 'another']
  it.each<[unknown, unknown, boolean]>([
    [{ jkt }, { jkt }, true],
    [{ jkt, 'x5t#S256': x5t }, { 'x5t#S256': x5t, jkt }, true],
    [{ jkt }, { jkt: 'other' }, false],
    [{ jkt }, undefined, false],
    [undefined, { jkt }, false],
    [{ jkt }, { jkt, 'x5t#S256': x5t }, false],
    [{ jkt }, { 'x5t#S256': jkt }, false],
    [{ jkt }, null, false],
    [{ jkt }, [jkt], false],
    [undefined, null, false],
  ])('is not known from an answer about another cnf: case %#', async (own, answered, isSame) => {
    const reason = await reasonOf(() => ask({ active: true, ...CLAIMS, cnf: answered }, { cnf: own }))
    expect(reason).toBe(isSame ? undefined : 'introspection_unavailable')
  })

  it.each([
    undefined,
    null,
    'active',
    1,
    true,
    [],
    [{ active: true }],
    {},
    { active: 'true' },
    { active: 1 },
  ])('is not known from %j', async (answer) => {
    expect(await reasonOf(() => ask(answer))).toBe('introspection_unavailable')
  })

  it('is not known when there is no answer', async () => {
    const failing = () => Promise.reject(new Error('the connection failed'))
    const { reason, cause } = await refusalOf(() => isActive(failing, 'token', CLAIMS))
    expect([reason, cause]).toEqual(['introspection_unavailable', new Error('the connection failed')])
  })
})
