/**
 * What ECS 9 (github.com/elastic/ecs, generated/ecs/ecs_flat.yml) says about the fields that `toEcs` uses: the values of the
 * categorization fields, with the types that each category expects, and the types of the fields.
 */
export const KINDS = ['alert', 'asset', 'enrichment', 'event', 'metric', 'state', 'pipeline_error', 'signal']

export const OUTCOMES = ['failure', 'success', 'unknown']

/** The types that each category expects, of the categories in use. */
export const CATEGORIES: Readonly<Record<string, readonly string[]>> = {
  api: [
    'access',
    'admin',
    'allowed',
    'change',
    'creation',
    'deletion',
    'denied',
    'end',
    'info',
    'start',
    'user',
  ],
  authentication: ['start', 'end', 'info'],
  configuration: ['access', 'change', 'creation', 'deletion', 'info'],
  iam: ['admin', 'change', 'creation', 'deletion', 'group', 'info', 'user'],
  intrusion_detection: ['allowed', 'denied', 'info'],
  web: ['access', 'error', 'info'],
}

type FieldType = 'keyword' | 'keyword[]' | 'text' | 'ip' | 'ip[]' | 'date' | 'long'

export const FIELDS: Readonly<Record<string, FieldType>> = {
  '@timestamp': 'date',
  message: 'text',
  'ecs.version': 'keyword',
  'error.code': 'keyword',
  'error.message': 'text',
  'event.action': 'keyword',
  'event.category': 'keyword[]',
  'event.code': 'keyword',
  'event.end': 'date',
  'event.id': 'keyword',
  'event.kind': 'keyword',
  'event.outcome': 'keyword',
  'event.provider': 'keyword',
  'event.reason': 'keyword',
  'event.severity': 'long',
  'event.start': 'date',
  'event.type': 'keyword[]',
  'http.response.status_code': 'long',
  'log.level': 'keyword',
  'related.ip': 'ip[]',
  'related.user': 'keyword[]',
  'rule.category': 'keyword',
  'rule.description': 'keyword',
  'rule.id': 'keyword',
  'rule.name': 'keyword',
  'rule.ruleset': 'keyword',
  'rule.uuid': 'keyword',
  'rule.version': 'keyword',
  'source.address': 'keyword',
  'source.ip': 'ip',
  'threat.framework': 'keyword',
  'threat.technique.id': 'keyword[]',
  'threat.technique.reference': 'keyword[]',
  'threat.technique.subtechnique.id': 'keyword[]',
  'threat.technique.subtechnique.reference': 'keyword[]',
  'trace.id': 'keyword',
  'user.id': 'keyword',
  'user.name': 'keyword',
  'user_agent.original': 'keyword',
}
