const RESOURCE_METADATA_PATH = '/.well-known/oauth-protected-resource'

/** The URL of a resource's metadata: the path of the resource follows the well-known path (RFC 9728 3.1). */
export function resourceMetadataUrl(
  audience: string | undefined,
  originOf: (url: string) => string | undefined,
): string | undefined {
  const origin = audience && originOf(audience)
  if (!audience || !origin) return undefined
  const { pathname, search } = new URL(audience)
  return `${origin}${RESOURCE_METADATA_PATH}${pathname === '/' ? '' : pathname}${search}`
}
