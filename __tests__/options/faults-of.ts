import { ConfigurationError } from '../../lib/base/errors.js'
import { type Config, parseOptions } from '../../lib/options/options.js'
import type { ProvisioningOptions } from '../../lib/options/provisioning-options.js'
import { workingOptions } from '../support/deployed.js'

/** Any options, valid or not. */
export type AnyOptions = { readonly [N in keyof ProvisioningOptions]?: unknown } & Readonly<
  Record<string, unknown>
>

export function parse(options: AnyOptions = {}): Config {
  return parseOptions({ ...workingOptions(), ...options } as ProvisioningOptions)
}

/** All faults of options that are otherwise valid. */
export function faultsOf(options: AnyOptions): readonly string[] {
  try {
    parse(options)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}
