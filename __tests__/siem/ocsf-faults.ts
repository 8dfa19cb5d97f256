import type { OcsfEvent } from '../../lib/siem/siem.js'
import { CLASSES, ENUMS, OBJECT_OF, OBJECTS } from './ocsf-schema'

/** Attributes whose value may be any JSON. */
const ANY_JSON = ['unmapped', 'data']

/** What the schema does not allow in an event. */
export function schemaFaults(event: OcsfEvent): string[] {
  const schema = CLASSES[event.class_uid]
  if (schema === undefined) return [`unknown class ${event.class_uid}`]
  return [
    ...schema.required.filter((name) => event[name] === undefined).map((name) => `misses ${name}`),
    ...Object.keys(event).flatMap((name) => (schema.attributes.includes(name) ? [] : [`has ${name}`])),
    ...(schema.activities[event.activity_id] === undefined ? ['unknown activity'] : []),
    ...Object.entries(event).flatMap(([name, value]) => valueFaults(name, value)),
  ]
}

function valueFaults(name: string, value: unknown): string[] {
  if (ANY_JSON.includes(name)) return []
  if (Array.isArray(value)) return value.flatMap((each) => valueFaults(name, each))
  if (typeof value !== 'object' || value === null) {
    const allowed = ENUMS[name]
    return allowed === undefined || allowed.includes(Number(value)) ? [] : [`${name}: ${value}`]
  }
  const schema = OBJECTS[OBJECT_OF[name] ?? name]
  if (schema === undefined) return [`unknown object ${name}`]
  const names = Object.keys(value)
  return [
    ...schema.required.filter((one) => !names.includes(one)).map((one) => `${name} misses ${one}`),
    ...(schema.atLeastOne.some((one) => names.includes(one) || one === '') ? [] : [`${name} is empty`]),
    ...names.flatMap((one) => (schema.attributes.includes(one) ? [] : [`${name} has ${one}`])),
    ...Object.entries(value).flatMap(([one, member]) => valueFaults(one, member)),
  ]
}
