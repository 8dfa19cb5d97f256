import { refusalFrom } from '../../base/caught-refusal.js'
import { isObject } from '../../base/object.js'
import { parseJws } from '../../jose/jws.js'
import { parseSignedToken, typedClaims } from '../../jose/signed-token.js'
import { issuerRefusal, verifySignedByUs } from '../../tokens/issued-token.js'
import { extractKey } from '../../tokens/presentation.js'
import { type Check, type Finding, PASSED, passed, skipped, warning } from '../check.js'
import { faultOfEncoding, faultOfHeader } from './header-form.js'
import { claimsOf, credentialOf, findingOf, type Subject, shortOf } from './subject.js'

/** Other signed tokens that clients present by mistake, by their `typ`. */
const OTHER_TYPES: Readonly<Record<string, string>> = {
  'provisioning-key+jwt': 'a provisioning key',
  'at+jwt': 'an access token',
  'application/at+jwt': 'an access token of another server',
  'dpop+jwt': 'a DPoP proof',
  'logout+jwt': 'a logout token',
  'secevent+jwt': 'a Security Event Token',
  'token-introspection+jwt': 'an answer of an introspection endpoint',
  'client-authentication+jwt': 'a client assertion',
}

const HEADER: Check<Subject> = {
  id: 'header',
  group: 'Request',
  title: 'the request presents one key in the right form',
  clause: 'RFC 6750 2.1, RFC 9449 7.1',
  fix: 'Send one header Authorization: Bearer <key>, or Authorization: DPoP <key> with a DPoP proof.',
  run({ dump, credentialName }) {
    const { presented, isRequest, subjectToken } = dump
    if (subjectToken !== undefined) return passed('the key is the subject_token of the body')
    const refusal = refusalFrom(() => extractKey(presented, credentialName))
    const [value = ''] = presented.authorization
    if (refusal === undefined)
      return isRequest ? spacing(value) : passed('the text is a key without a request')
    const isForm = value !== '' && ['header_malformed', 'credentials_missing'].includes(refusal.reason)
    if (!isForm) return findingOf(refusal)
    const { actual, fix } = faultOfHeader(value)
    const where = isRequest ? 'The header Authorization is wrong' : 'The text is not a key'
    return findingOf(refusal, { actual: `${where}: ${actual}.`, fix })
  },
}

function spacing(value: string): Finding {
  if (!/^\w+ {2,}/.test(value)) return PASSED
  return warning({
    actual:
      'The header has more than one space after the scheme. This server accepts it, but others refuse it.',
    fix: 'Write one space after the scheme.',
    section: 'header_malformed',
  })
}

const FORM: Check<Subject> = {
  id: 'form',
  group: 'Key',
  title: 'the text is a token of the right kind',
  clause: 'RFC 7515 5.2, RFC 8725 3.11',
  fix: 'Present the text that the issuer has sent as access_token, without any change.',
  run(subject) {
    const { token } = credentialOf(subject) ?? {}
    if (token === undefined) return skipped('there is no key to read')
    const refusal = refusalFrom(() => parseSignedToken(token, subject.kind))
    if (refusal === undefined) return passed(`jti ${shortOf(claimsIn(token).jti)}`)
    if (refusal.reason === 'key_type_wrong') return findingOf(refusal, typeFault(token, subject))
    return findingOf(refusal, refusal.reason === 'key_malformed' ? formFault(token, subject) : {})
  },
}

function typeFault(
  token: string,
  { kind, credentialName }: Subject,
): Pick<Finding, 'actual' | 'expected' | 'fix'> {
  const parsed = parseJws(token)
  const typ = typeof parsed === 'string' ? undefined : parsed.header.typ
  const claims = claimsIn(token)
  const known = typeof typ === 'string' ? OTHER_TYPES[typ.toLowerCase()] : undefined
  const guess = known ?? guessOf(claims)
  return {
    actual: `The token is ${guess}, and not ${an(credentialName)}.`,
    expected: `the typ ${kind.typ}`,
    fix: `Present the ${credentialName}. ${remedyOf(guess)}`,
  }
}

function an(name: string): string {
  return /^[aeiou]/.test(name) ? `an ${name}` : `a ${name}`
}

/** OpenID Connect Core 2: an ID token has an audience that is a client, and often a nonce. */
function guessOf(claims: Readonly<Record<string, unknown>>): string {
  const has = (...names: readonly string[]) => names.some((name) => Object.hasOwn(claims, name))
  if (has('nonce', 'at_hash', 'auth_time', 'c_hash', 'azp')) return 'an ID token'
  if (has('htm', 'htu')) return 'a DPoP proof'
  if (claims.iss !== undefined && claims.iss === claims.sub) return 'a client assertion'
  return has('scope', 'scp', 'client_id') ? 'an access token of another server' : 'a JWT of another kind'
}

const REMEDIES: Readonly<Record<string, string>> = {
  'a provisioning key': 'Redeem the key first: exchange it for an access token.',
  'an access token':
    'An access token comes from a redeemed key, and needs a route with requireAccessToken().',
  'an ID token': 'An ID token is for the client that has asked for it, and no API accepts it.',
  'a DPoP proof': 'A proof belongs into the header DPoP.',
  'a client assertion': 'An assertion belongs into the parameter client_assertion of the token endpoint.',
}

function remedyOf(guess: string): string {
  return REMEDIES[guess] ?? 'The issuer sends it as access_token in the answer to client_credentials.'
}

function formFault(token: string, { dump }: Subject): Pick<Finding, 'actual' | 'fix'> {
  const encoded = faultOfEncoding(dump.presented.authorization[0] ?? '')
  if (encoded !== undefined) return { actual: `The text is not a key: ${encoded.actual}.`, fix: encoded.fix }
  const parts = token.split('.').length
  if (token.length > 8192)
    return { actual: `The key has ${token.length} characters; at most 8192 are accepted.` }
  if (parts !== 3)
    return { actual: `The key has ${parts} ${parts === 1 ? 'part' : 'parts'}; a JWT has three.` }
  if (token.endsWith('.'))
    return { actual: 'The key has no signature. It was cut off, or it was never signed.' }
  return {
    actual: 'A part of the key is not base64url, or its header is not JSON. The key was changed or cut off.',
    fix: 'Copy the whole key again. Do not decode it, and do not change a character.',
  }
}

const SIGNATURE: Check<Subject> = {
  id: 'signature',
  group: 'Key',
  title: 'a signing key of the issuer has signed the key',
  clause: 'RFC 7515 5.2, RFC 8725 3.1',
  needs: ['form'],
  fix: 'Get the key from this issuer. If the issuer has a new signing key, publish it before it signs.',
  run(subject) {
    if (!subject.expected.hasKeys)
      return skipped('no JWK Set is given, so the signature was NOT checked; use --jwks or --issuer')
    const { token = '' } = credentialOf(subject) ?? {}
    const refusal = refusalFrom(() => verifySignedByUs(subject.rules.keyRing, subject.kind, token))
    return refusal === undefined || refusal.reason === 'claims_malformed' ? PASSED : findingOf(refusal)
  },
}

const CLAIMS: Check<Subject> = {
  id: 'claims',
  group: 'Key',
  title: 'the claims have the right types',
  clause: 'RFC 7519 4.1, RFC 9068 2.2',
  needs: ['form'],
  fix: 'Only this library issues keys in the right form. Correct the program that has made this key.',
  run(subject) {
    const { token } = credentialOf(subject) ?? {}
    const refusal = refusalFrom(() => typedClaims(parseSignedToken(token, subject.kind), subject.kind))
    if (refusal !== undefined) return findingOf(refusal)
    const { client_id, sub, scope } = claimsOf(subject) ?? {}
    return passed(`client ${shortOf(client_id)}, subject ${shortOf(sub)}, scope ${shortOf(scope)}`)
  },
}

const ISSUER: Check<Subject> = {
  id: 'issuer',
  group: 'Key',
  title: 'the key is from this issuer',
  clause: 'RFC 9068 4',
  needs: ['claims'],
  fix: 'Get a key from this issuer. Every character counts, also a slash at the end.',
  run(subject) {
    const { expected, rules, kind } = subject
    const claims = claimsOf(subject)
    if (claims === undefined) return skipped('the claims cannot be read')
    if (expected.issuer === undefined)
      return skipped(`the key is from ${shortOf(claims.iss)}; name yours with --issuer or --metadata`)
    const refusal = issuerRefusal(rules, kind, claims)
    if (refusal === undefined) return PASSED
    return findingOf(refusal, {
      actual: `The key is from ${shortOf(claims.iss)}.`,
      expected: expected.issuer,
    })
  },
}

/** The payload of a token that may be of any kind. */
function claimsIn(token: string): Readonly<Record<string, unknown>> {
  const parsed = parseJws(token)
  return typeof parsed !== 'string' && isObject(parsed.claims) ? parsed.claims : {}
}

/** The checks of the request and of the token itself, in the order of the guards. */
export const TOKEN_CHECKS: readonly Check<Subject>[] = [HEADER, FORM, SIGNATURE, CLAIMS, ISSUER]
