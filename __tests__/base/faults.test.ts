import fc from 'fast-check'
import { ConfigurationError } from '../../lib/base/errors.js'
import { describeSecret, describe as describeValue, join, newFaults } from '../../lib/base/faults.js'

describe('faults', () => {
  it('are told as path, expectation and what was there instead, all at once', () => {
    const faults = newFaults()
    faults.add('issuer', 'an https URL', 'undefined')
    faults.add('clients[0].clientSecret', 'at least 24 characters', 'a string of 3 characters')
    expect(faults.list).toEqual([
      'issuer: expected an https URL, got undefined',
      'clients[0].clientSecret: expected at least 24 characters, got a string of 3 characters',
    ])
    expect(() => faults.throwIfAny()).toThrow(new ConfigurationError(faults.list))
  })

  it('describe a rejected value, and a secret only by its type and length', () => {
    const faults = newFaults()
    faults.reject('realm', 'printable ASCII', 'hunter2')
    faults.reject('clientSecret', 'at least 24 characters', 'hunter2', describeSecret)
    const hiding = newFaults(describeSecret)
    hiding.reject('client.clientId', 'a client id', 'hunter2')
    expect([...faults.list, ...hiding.list]).toEqual([
      'realm: expected printable ASCII, got "hunter2"',
      'clientSecret: expected at least 24 characters, got a string of 7 characters',
      'client.clientId: expected a client id, got a string of 7 characters',
    ])
  })

  it('say that the code does not await a promise', () => {
    const faults = newFaults()
    faults.reject('signingKeys', 'a PEM', Promise.resolve('hunter2'))
    expect(faults.list).toEqual(['signingKeys: expected a PEM, got a promise that the code does not await'])
  })

  it('throw nothing when there are none', () => {
    expect(() => newFaults().throwIfAny()).not.toThrow()
  })
})

describe('an unknown name', () => {
  const KNOWN = ['issuer', 'signingKeys', 'clientId', 'mountPath', 'timeoutSeconds', 'alg']
  const NEAR: [string, string][] = [
    ['isuer', 'issuer'],
    ['issuers', 'issuer'],
    ['Issuer', 'issuer'],
    ['signing_keys', 'signingKeys'],
    ['signing-key', 'signingKeys'],
    ['clientID', 'clientId'],
    ['client_id', 'clientId'],
    ['mountpath', 'mountPath'],
    ['mounthPat', 'mountPath'],
    ['path', 'mountPath'],
    ['keys', 'signingKeys'],
    ['mount', 'mountPath'],
    ['timeout', 'timeoutSeconds'],
    ['keyAlg', 'alg'],
  ]
  it.each(NEAR)('%s is told with the name that was meant: %s', (name, meant) => {
    const faults = newFaults()
    faults.addUnknownNames('', { [name]: 1 }, KNOWN)
    expect(faults.list).toEqual([
      `${name}: expected a known option; did you mean ${meant}? got an unknown name`,
    ])
  })

  it.each([
    ['secret', 'secret'],
    ['__defineGetter__', '__defineGetter__'],
    ['x'.repeat(100), '(a name of 100 characters)'],
    ['two words', '(a name of 9 characters)'],
    ['first\nsecond', '(a name of 12 characters)'],
  ])('%j, near none, is reported with all known names', (name, shown) => {
    const faults = newFaults()
    faults.addUnknownNames('clients[3]', { [name]: 1 }, KNOWN)
    expect(faults.list).toEqual([
      `clients[3].${shown}: expected one of ${KNOWN.join(', ')}, got an unknown name`,
    ])
  })

  it('means no known name that several others end or begin with as well', () => {
    const faults = newFaults()
    faults.addUnknownNames('', { secret: 1, expires: 1 }, [
      'clientSecret',
      'secretHash',
      'secretExpires',
      'tokenExpires',
    ])
    expect(faults.list).toEqual([
      'secret: expected a known option; did you mean clientSecret? got an unknown name',
      expect.stringMatching(/^expires: expected one of clientSecret, /),
    ])
  })

  it('is not one that is known, nor one that is inherited', () => {
    const faults = newFaults()
    faults.addUnknownNames('', Object.create({ isuer: 1 }, { alg: { value: 1, enumerable: true } }), KNOWN)
    expect(faults.list).toEqual([])
  })
})

describe('describe', () => {
  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [0, '0'],
    [Number.NaN, 'NaN'],
    [false, 'false'],
    ['short', '"short"'],
    ['a"b', '"a\\"b"'],
    ['x'.repeat(81), 'a string of 81 characters'],
    ['user@host', 'a string of 9 characters with an @'],
    [[], 'an empty list'],
    [[1, 2], 'a list of 2'],
    [{ a: 1 }, 'an object'],
    [() => 1, 'a function'],
    [Symbol('a'), 'a symbol'],
    [1n, 'a bigint'],
  ])('of %p is %p', (value, words) => {
    expect(describeValue(value)).toBe(words)
  })

  it('is short and of one line, whatever it is of', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true }), (value) => {
        expect(describeValue(value).length).toBeLessThan(600)
        expect(describeValue(value)).not.toContain('\n')
      }),
    )
  })
})

describe('describeSecret', () => {
  it.each([
    'hunter2',
    'hunter2'.repeat(50),
    81727,
    ['hunter2'],
    { secret: 'hunter2' },
    81727n,
    new Date(81727),
  ])('says nothing that %p says', (secret) => {
    expect(describeSecret(secret)).not.toMatch(/hunter2|81727/)
  })

  it('says how long a text is', () => {
    expect(describeSecret('hunter2')).toBe('a string of 7 characters')
  })
})

describe('join', () => {
  it('puts a name after its path, if there is one', () => {
    expect([join('', 'policy'), join('policy', 'scopes')]).toEqual(['policy', 'policy.scopes'])
  })
})
