/**
 * How urgent an event is: `high` means that somebody should look at it now.
 *
 * @example
 * const paged: readonly Severity[] = ['high']
 */
export type Severity = 'info' | 'notice' | 'warning' | 'high'

/** The severities of findings, the lowest first. */
export const SEVERITIES: readonly Severity[] = Object.freeze(['info', 'notice', 'warning', 'high'])
