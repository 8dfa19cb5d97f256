/** A class of events in OCSF 1.8.0, with its category. */
export interface OcsfClass {
  readonly uid: number
  readonly name: string
  readonly category: { readonly uid: number; readonly name: string }
}

const FINDINGS = { uid: 2, name: 'Findings' }
const IAM = { uid: 3, name: 'Identity & Access Management' }
const APPLICATION = { uid: 6, name: 'Application Activity' }

export const DETECTION_FINDING: OcsfClass = { uid: 2004, name: 'Detection Finding', category: FINDINGS }
export const AUTHENTICATION: OcsfClass = { uid: 3002, name: 'Authentication', category: IAM }
export const ENTITY_MANAGEMENT: OcsfClass = { uid: 3004, name: 'Entity Management', category: IAM }
export const API_ACTIVITY: OcsfClass = { uid: 6003, name: 'API Activity', category: APPLICATION }
const APPLICATION_ERROR: OcsfClass = { uid: 6008, name: 'Application Error', category: APPLICATION }

/** An activity of a class. An activity without a name of its own in OCSF has the id 99. */
export interface Activity {
  readonly class: OcsfClass
  readonly id: number
  readonly name: string
  /** The category and the types of ECS, as in `iam: user, change`. */
  readonly ecs: string
}

/** The activities that events are mapped to. */
export const ACTIVITIES = {
  findingCreate: { class: DETECTION_FINDING, id: 1, name: 'Create', ecs: 'intrusion_detection: info' },
  findingUpdate: { class: DETECTION_FINDING, id: 2, name: 'Update', ecs: 'intrusion_detection: info' },
  findingClose: { class: DETECTION_FINDING, id: 3, name: 'Close', ecs: 'intrusion_detection: info' },
  logon: { class: AUTHENTICATION, id: 1, name: 'Logon', ecs: 'authentication: start' },
  preauth: { class: AUTHENTICATION, id: 6, name: 'Preauth', ecs: 'authentication: info' },
  authenticationOther: { class: AUTHENTICATION, id: 99, name: 'Other', ecs: 'authentication: info' },
  entityCreate: { class: ENTITY_MANAGEMENT, id: 1, name: 'Create', ecs: 'iam: user, creation' },
  entityUpdate: { class: ENTITY_MANAGEMENT, id: 3, name: 'Update', ecs: 'iam: user, change' },
  entityDelete: { class: ENTITY_MANAGEMENT, id: 4, name: 'Delete', ecs: 'iam: user, deletion' },
  entityFlag: { class: ENTITY_MANAGEMENT, id: 3, name: 'Update', ecs: 'iam: user, info' },
  settingCreate: { class: ENTITY_MANAGEMENT, id: 1, name: 'Create', ecs: 'configuration: creation' },
  settingUpdate: { class: ENTITY_MANAGEMENT, id: 3, name: 'Update', ecs: 'configuration: change' },
  settingDelete: { class: ENTITY_MANAGEMENT, id: 4, name: 'Delete', ecs: 'configuration: deletion' },
  enroll: { class: ENTITY_MANAGEMENT, id: 6, name: 'Enroll', ecs: 'iam: user, change' },
  unenroll: { class: ENTITY_MANAGEMENT, id: 7, name: 'Unenroll', ecs: 'iam: user, change' },
  suspend: { class: ENTITY_MANAGEMENT, id: 12, name: 'Suspend', ecs: 'iam: user, change' },
  resume: { class: ENTITY_MANAGEMENT, id: 13, name: 'Resume', ecs: 'iam: user, change' },
  apiCreate: { class: API_ACTIVITY, id: 1, name: 'Create', ecs: 'iam: creation' },
  apiDelete: { class: API_ACTIVITY, id: 4, name: 'Delete', ecs: 'iam: deletion' },
  apiRefusal: { class: API_ACTIVITY, id: 99, name: 'Other', ecs: 'api: denied' },
  apiAdministration: { class: API_ACTIVITY, id: 99, name: 'Other', ecs: 'iam: admin' },
  outage: { class: APPLICATION_ERROR, id: 1, name: 'General Error', ecs: 'web: error' },
  error: { class: APPLICATION_ERROR, id: 1, name: 'General Error', ecs: 'configuration: info' },
} as const satisfies Record<string, Activity>

export type ActivityName = keyof typeof ACTIVITIES
