/** Parses an https URL without credentials and fragment. `undefined`: it is not one. */
export function httpsUrl(value: unknown): URL | undefined {
  const text = value instanceof URL ? value.href : value
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  const isAccepted =
    url?.protocol === 'https:' && url.username === '' && url.password === '' && !url.href.includes('#')
  return isAccepted ? url : undefined
}
