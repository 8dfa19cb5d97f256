import { normalizeTarget } from '../../lib/possession/target.js'

function isSameTarget(one: string, other: string): boolean {
  const normalized = normalizeTarget(one)
  return normalized !== undefined && normalized === normalizeTarget(other)
}

const URL = 'https://api.example.com/a/b'

describe('normalizeTarget', () => {
  const SAME: [string, string, string][] = [
    ['itself', URL, URL],
    ['the case of the scheme (6.2.2.1)', 'HTTPS://api.example.com/a/b', URL],
    ['the case of the host (6.2.2.1)', 'https://API.Example.COM/a/b', URL],
    [
      'the case of hexadecimal digits (6.2.2.1)',
      'https://a.example/%c3%a9%2f',
      'https://a.example/%C3%A9%2F',
    ],
    ['an unreserved letter encoded (6.2.2.2)', 'https://a.example/%61%5A', 'https://a.example/aZ'],
    [
      'a hyphen, dot, underscore, tilde encoded (6.2.2.2)',
      'https://a.example/x%2D%2e%5F%7e',
      'https://a.example/x-._~',
    ],
    ['a digit encoded (6.2.2.2)', 'https://a.example/%30%39', 'https://a.example/09'],
    ['dot segments (6.2.2.3)', 'https://api.example.com/x/../a/./b', URL],
    ['dot segments above the root (6.2.2.3)', 'https://api.example.com/../../a/b', URL],
    ['encoded dot segments (6.2.2.2, 6.2.2.3)', 'https://api.example.com/x/%2e%2E/a/%2e/b', URL],
    ['an at sign in the path', 'https://api.example.com/@a', 'https://api.example.com/@a'],
    ['a letter of the host encoded (6.2.2.2)', 'https://%61pi.example.com/a/b', URL],
    ['the default port of https (6.2.3)', 'https://api.example.com:443/a/b', URL],
    ['the default port of http (6.2.3)', 'http://a.example:80/', 'http://a.example/'],
    ['an empty port (6.2.3)', 'https://api.example.com:/a/b', URL],
    ['an empty path (6.2.3)', 'https://a.example', 'https://a.example/'],
    ['a query (RFC 9449 4.2)', `${URL}?c=d`, URL],
    ['a fragment (RFC 9449 4.2)', `${URL}#c`, URL],
    ['an empty query and fragment (RFC 9449 4.2)', `${URL}?#`, URL],
    ['another query', `${URL}?c=d`, `${URL}?e`],
  ]
  it.each(SAME)('ignores %s', (_, one, other) => {
    expect([isSameTarget(one, other), isSameTarget(other, one)]).toEqual([true, true])
  })

  const DIFFERENT: [string, string, string][] = [
    ['another scheme', 'http://api.example.com/a/b', URL],
    ['another host', 'https://evil.example.com/a/b', URL],
    ['a host that begins alike', 'https://api.example.com.evil.example/a/b', URL],
    ['another port', 'https://api.example.com:8443/a/b', URL],
    ['the default port of another scheme', 'http://api.example.com:443/', 'http://api.example.com/'],
    ['another path', 'https://api.example.com/a/c', URL],
    ['the case of the path', 'https://api.example.com/A/b', URL],
    ['a slash at the end', `${URL}/`, URL],
    ['a slash too many', 'https://api.example.com/a//b', URL],
    ['a slash encoded', 'https://api.example.com/a%2Fb', URL],
    ['another reserved character encoded', 'https://a.example/a%3Ab', 'https://a.example/a:b'],
    [
      'a percent sign encoded, so that nothing is decoded twice',
      'https://a.example/%2561',
      'https://a.example/a',
    ],
    ['a path after dot segments', 'https://api.example.com/a/b/..', URL],
  ]
  it.each(DIFFERENT)('does not ignore %s', (_, one, other) => {
    expect([isSameTarget(one, other), isSameTarget(other, one)]).toEqual([false, false])
  })

  it.each([
    '',
    'a',
    '/a/b',
    '//api.example.com/a/b',
    'https:',
    'https:///',
    'https:/api.example.com/a/b',
    'https:api.example.com/a/b',
    'ftp://api.example.com/a/b',
    'javascript:alert(1)',
    'data:text/plain,a',
    'https://api.example.com/a b',
    ' https://api.example.com/a/b',
    'https://api.example.com/a/b\n',
    'https://api.example.com/\ta/b',
    'https://api.example.com/ä',
    'https://[::1/a',
    'https://api.example.com:99999/a/b',
    'https://user@api.example.com/a/b',
    'https://user:secret@api.example.com/a/b',
    'https://@api.example.com/a/b',
    'https://evil.example@api.example.com/a/b',
    'https://api.example.com\\@evil.example/a/b',
    'https://api.example.com/a\\b',
    'https:\\\\api.example.com/a/b',
  ])('does not accept %j as a target, even that of the request', (url) => {
    expect([isSameTarget(url, URL), isSameTarget(url, url)]).toEqual([false, false])
  })
})
