import { ConfigurationError } from '../../lib/base/errors.js'
import { type Config, parseOptions } from '../../lib/options/options.js'
import type { ProvisioningOptions } from '../../lib/options/provisioning-options.js'
import { workingOptions } from '../support/deployed.js'

/** Options of any kind, right or wrong. */
export type AnyOptions = { readonly [N in keyof ProvisioningOptions]?: unknown } & Readonly<
  Record<string, unknown>
>

export function parse(options: AnyOptions = {}): Config {
  return parseOptions({ ...workingOptions(), ...options } as ProvisioningOptions)
}

/** Every fault of options that are otherwise right; none when they are accepted. */
export function faultsOf(options: AnyOptions): readonly string[] {
  try {
    parse(options)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}
