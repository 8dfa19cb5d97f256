import { inspect } from 'node:util'
import { unlessRefused } from '../../lib/base/caught-refusal.js'
import {
  ConfigurationError,
  disclosing,
  malformed,
  ProvisioningError,
  REASONS,
  type Reason,
} from '../../lib/base/errors.js'
import { refusalOf } from '../support/deployed.js'

describe('ProvisioningError', () => {
  it.each(Object.entries(REASONS))('with the reason %s has the code %s', (reason, code) => {
    const error = new ProvisioningError(reason as Reason, 'why')
    expect({ ...error, message: error.message }).toEqual({
      name: 'ProvisioningError',
      code,
      reason,
      message: 'why',
      disclosed: false,
      facts: {},
    })
    expect(error).toBeInstanceOf(Error)
  })

  it('has a cause only where there is one', () => {
    const cause = new Error('below')
    expect(new ProvisioningError('store_unavailable', 'why', { cause }).cause).toBe(cause)
    expect(Object.hasOwn(new ProvisioningError('store_unavailable', 'why'), 'cause')).toBe(false)
  })

  it('keeps its facts from being altered', () => {
    const facts = { clientId: 'a' }
    const error = new ProvisioningError('key_expired', 'why', { facts })
    facts.clientId = 'b'
    expect(error.facts).toEqual({ clientId: 'a' })
    expect(Object.isFrozen(error.facts)).toBe(true)
  })

  it('is copied, not changed, when some particulars are replaced', () => {
    const cause = new Error('below')
    const facts = { clientId: 'a', jti: 'b' }
    const error = new ProvisioningError('client_unknown', 'why', { facts, cause })
    const other = error.with({
      code: 'invalid_token',
      disclosed: true,
      facts: { jti: 'c', requiredScope: 'd' },
    })
    expect(error).toMatchObject({ code: 'invalid_client', disclosed: false, facts })
    expect(other).toMatchObject({
      code: 'invalid_token',
      reason: 'client_unknown',
      message: 'why',
      disclosed: true,
    })
    expect(other.facts).toEqual({ clientId: 'a', jti: 'c', requiredScope: 'd' })
    expect(other.cause).toBe(cause)
  })

  it('keeps a code of its own when other particulars are replaced', () => {
    const error = new ProvisioningError('client_unknown', 'why', { code: 'invalid_token', disclosed: true })
    expect(error.with({ facts: { jti: 'a' } })).toMatchObject({ code: 'invalid_token', disclosed: true })
  })

  it('may be told to anybody when it is about the form of the request', () => {
    expect(malformed('body_malformed', 'why', { jti: 'a' })).toMatchObject({
      disclosed: true,
      facts: { jti: 'a' },
    })
  })
})

describe('disclosing', () => {
  it('answers what the act answers', async () => {
    expect(await disclosing({}, () => 1)).toBe(1)
    expect(await disclosing({}, async () => 2)).toBe(2)
  })

  it.each([
    ['throws', () => Promise.reject(new ProvisioningError('key_expired', 'why', { facts: { jti: 'a' } }))],
    [
      'rejects with',
      () => {
        throw new ProvisioningError('key_expired', 'why', { facts: { jti: 'a' } })
      },
    ],
  ])('lets the caller be told what the act %s, and about whom', async (_, act) => {
    const refusal = await refusalOf(() => disclosing({ clientId: 'b' }, act))
    expect(refusal).toMatchObject({ disclosed: true, facts: { jti: 'a', clientId: 'b' } })
  })

  it('leaves every other error as it is', async () => {
    const fault = new TypeError('bug')
    await expect(disclosing({}, () => Promise.reject(fault))).rejects.toBe(fault)
  })
})

describe('unlessRefused', () => {
  it('returns the result, or undefined for a refusal, and hides no bug', () => {
    expect(unlessRefused(() => 1)).toBe(1)
    expect(
      unlessRefused(() => {
        throw malformed('scope_malformed', 'why')
      }),
    ).toBeUndefined()
    expect(() =>
      unlessRefused(() => {
        throw new TypeError('bug')
      }),
    ).toThrow('bug')
  })
})

describe('ConfigurationError', () => {
  it('says its one fault as it is', () => {
    expect(new ConfigurationError(['a: expected b, got c'])).toMatchObject({
      name: 'ConfigurationError',
      message: 'a: expected b, got c',
      faults: ['a: expected b, got c'],
    })
  })

  it('says a fault once on the console', () => {
    const printed = inspect(new ConfigurationError(['a: expected b, got c']))
    expect(printed.match(/a: expected b, got c/g)).toHaveLength(1)
  })

  it('lists all its faults, and lets none be altered', () => {
    const faults = ['a: expected b, got c', 'd: expected e, got f']
    const error = new ConfigurationError(faults)
    faults.pop()
    expect(error.message).toBe('2 faults:\n  - a: expected b, got c\n  - d: expected e, got f')
    expect(error.faults).toHaveLength(2)
    expect(Object.isFrozen(error.faults)).toBe(true)
  })
})
