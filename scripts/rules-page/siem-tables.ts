import type { EventType } from '../../lib/ports/events'
import { CREDENTIAL_ERRORS, EVENT_ROWS, type EventRow, REFUSED_CREDENTIALS } from '../../lib/siem/event-map'

/** The rows of the tables in docs/guides/siem.md, with the names of their events. */
const TABLE_ROWS: readonly (readonly [name: string, row: EventRow])[] = [
  ...(Object.entries(EVENT_ROWS) as [EventType, EventRow][]).flatMap(
    ([type, row]): (readonly [string, EventRow])[] => {
      const errors = [...CREDENTIAL_ERRORS].map((error) => `\`${error}\``).join(', ')
      if (type !== 'request.refused') return [[`\`${type}\``, row]]
      return [
        [`\`${type}\` with the error ${errors}`, REFUSED_CREDENTIALS],
        [`\`${type}\` with another error`, row],
      ]
    },
  ),
]

const STATUS: Record<EventRow['outcome'], string> = {
  success: 'success',
  failure: 'failure',
  unknown: 'unknown',
  ifRevoked: 'success if revoked, otherwise unknown',
  none: '',
}

export function ocsfTable(): string {
  const rows = TABLE_ROWS.map(([name, { activity, outcome }]) => {
    const typeUid = activity.class.uid * 100 + activity.id
    return `| ${name} | ${activity.class.name} (${activity.class.uid}) | ${activity.name} (${activity.id}) | ${typeUid} | ${STATUS[outcome]} |`
  })
  return ['| Event | Class | Activity | `type_uid` | Status |', '|---|---|---|---|---|', ...rows].join('\n')
}

export function ecsTable(): string {
  const rows = TABLE_ROWS.map(([name, { kind, category, types, outcome }]) => {
    const codes = types.map((type) => `\`${type}\``).join(', ')
    return `| ${name} | \`${kind}\` | \`${category}\` | ${codes} | ${STATUS[outcome]} |`
  })
  const head = '| Event | `event.kind` | `event.category` | `event.type` | `event.outcome` |'
  return [head, '|---|---|---|---|---|', ...rows].join('\n')
}
