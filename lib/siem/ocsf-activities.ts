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
export interface OcsfActivity {
  readonly class: OcsfClass
  readonly id: number
  readonly name: string
}

/** The activities that events are mapped to. */
export const ACTIVITIES = {
  findingCreate: { class: DETECTION_FINDING, id: 1, name: 'Create' },
  findingUpdate: { class: DETECTION_FINDING, id: 2, name: 'Update' },
  findingClose: { class: DETECTION_FINDING, id: 3, name: 'Close' },
  logon: { class: AUTHENTICATION, id: 1, name: 'Logon' },
  preauth: { class: AUTHENTICATION, id: 6, name: 'Preauth' },
  authenticationOther: { class: AUTHENTICATION, id: 99, name: 'Other' },
  entityCreate: { class: ENTITY_MANAGEMENT, id: 1, name: 'Create' },
  entityUpdate: { class: ENTITY_MANAGEMENT, id: 3, name: 'Update' },
  entityDelete: { class: ENTITY_MANAGEMENT, id: 4, name: 'Delete' },
  enroll: { class: ENTITY_MANAGEMENT, id: 6, name: 'Enroll' },
  unenroll: { class: ENTITY_MANAGEMENT, id: 7, name: 'Unenroll' },
  suspend: { class: ENTITY_MANAGEMENT, id: 12, name: 'Suspend' },
  resume: { class: ENTITY_MANAGEMENT, id: 13, name: 'Resume' },
  apiCreate: { class: API_ACTIVITY, id: 1, name: 'Create' },
  apiDelete: { class: API_ACTIVITY, id: 4, name: 'Delete' },
  apiOther: { class: API_ACTIVITY, id: 99, name: 'Other' },
  error: { class: APPLICATION_ERROR, id: 1, name: 'General Error' },
} as const satisfies Record<string, OcsfActivity>

export type ActivityName = keyof typeof ACTIVITIES
