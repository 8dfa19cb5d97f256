import { isIP } from 'node:net'
import type { EcsEvent } from '../../lib/siem/siem.js'
import { FIELDS } from './ecs-schema'

/** The fields of an event, by their full names. Our own namespace is left out. */
function fieldsOf(value: object, prefix = ''): [string, unknown][] {
  return Object.entries(value).flatMap(([name, member]): [string, unknown][] => {
    if (name === 'provisioning_key') return []
    const isGroup = typeof member === 'object' && member !== null && !Array.isArray(member)
    return isGroup ? fieldsOf(member, `${prefix}${name}.`) : [[`${prefix}${name}`, member]]
  })
}

const CHECKS: Readonly<Record<string, (value: unknown) => boolean>> = {
  keyword: (value) => typeof value === 'string',
  text: (value) => typeof value === 'string',
  ip: (value) => isIP(String(value)) > 0,
  date: (value) => new Date(String(value)).toISOString() === value,
  long: Number.isSafeInteger,
}

/** What the schema does not allow in an event. */
export function schemaFaults(event: EcsEvent): string[] {
  return fieldsOf(event).flatMap(([name, value]) => {
    const type = FIELDS[name]
    if (type === undefined) return [`has ${name}`]
    const check = CHECKS[type.replace('[]', '')]
    const isValid = type.endsWith('[]')
      ? Array.isArray(value) && value.every((each) => check?.(each))
      : check?.(value)
    return isValid === true ? [] : [`${name}: ${value}`]
  })
}
