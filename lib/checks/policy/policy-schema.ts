import { CLIENT_RULES } from './client-rules.js'
import { POLICY_RULES } from './policy.js'
import { PARAMETERS, type PolicyParameters, type PolicyRule } from './rule.js'

/**
 * The JSON Schema (draft 2020-12) of a security policy, for editors. The package contains it as
 * `dist/checks/policy/policy.schema.json`.
 *
 * @example
 * import { writeFileSync } from 'node:fs'
 *
 * writeFileSync('policy.schema.json', JSON.stringify(policySchema()))
 */
export function policySchema(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'A security policy for express-provisioning-keys',
    type: 'object',
    additionalProperties: false,
    properties: {
      $schema: { type: 'string' },
      rules: rulesSchema(POLICY_RULES),
      classes: {
        description:
          'Classes of clients with settings of their own. A client belongs to the first class that has it.',
        type: 'array',
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['name', 'clients', 'rules'],
          properties: {
            name: { type: 'string', minLength: 1 },
            clients: {
              description: 'Ids of clients: exact, or a prefix followed by *.',
              type: 'array',
              minItems: 1,
              items: { type: 'string', pattern: '^[^*]+\\*?$' },
            },
            rules: rulesSchema(CLIENT_RULES),
          },
        },
      },
    },
    $defs: { severity: { enum: ['error', 'warning'] } },
  }
}

function rulesSchema(rules: readonly PolicyRule[]): object {
  const properties = Object.fromEntries(rules.map((rule) => [rule.id, settingSchema(rule)]))
  return { type: 'object', additionalProperties: false, properties }
}

function settingSchema({ title, fix, severity, parameters = {} }: PolicyRule): object {
  const own = Object.entries(parameters).map(([name, value]) => {
    const { schema } = PARAMETERS[name as keyof PolicyParameters]
    return [name, { ...schema, default: value }]
  })
  const properties = { severity: { $ref: '#/$defs/severity' }, ...Object.fromEntries(own) }
  return {
    description: `${title}. ${fix} Default: ${severity}.`,
    oneOf: [
      { const: false },
      { $ref: '#/$defs/severity' },
      { type: 'object', additionalProperties: false, properties },
    ],
  }
}
