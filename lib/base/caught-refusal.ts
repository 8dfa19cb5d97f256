import { ProvisioningError } from './errors.js'

/** The result of `read`, or `undefined` if it throws a `ProvisioningError`. */
export function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof ProvisioningError) return undefined
    throw error
  }
}

/** The refusal that `check` throws, if it does. Every other error is thrown. */
export function refusalFrom(check: () => unknown): ProvisioningError | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    if (error instanceof ProvisioningError) return error
    throw error
  }
}

/** The refusal that `act` ends with, if it does and `isWanted` accepts it. Every other error is thrown. */
export async function refusalOf(
  act: () => unknown,
  isWanted: (refusal: ProvisioningError) => boolean = () => true,
): Promise<ProvisioningError | undefined> {
  try {
    await act()
    return undefined
  } catch (error) {
    if (error instanceof ProvisioningError && isWanted(error)) return error
    throw error
  }
}
