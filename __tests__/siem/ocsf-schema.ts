/**
 * What OCSF 1.8.0 (github.com/ocsf/ocsf-schema, version 1.8.0) says about the classes and objects that `toOcsf` uses: the names
 * of their attributes, those that are required, and the numbers of their activities.
 */
const words = (text: string): readonly string[] => text.trim().split(/\s+/)

interface ClassSchema {
  readonly name: string
  readonly category: number
  readonly activities: Readonly<Record<number, string>>
  readonly required: readonly string[]
  readonly attributes: readonly string[]
}

export const CLASSES: Readonly<Record<number, ClassSchema>> = {
  2004: {
    name: 'Detection Finding',
    category: 2,
    activities: { 0: 'Unknown', 99: 'Other', 1: 'Create', 2: 'Update', 3: 'Close' },
    required: words(`
      activity_id category_uid class_uid finding_info metadata severity_id time type_uid
    `),
    attributes: words(`
      activity_id activity_name anomaly_analyses category_name category_uid class_name class_uid
      comment confidence confidence_id confidence_score count device duration end_time enrichments
      evidences finding_info impact impact_id impact_score is_alert malware malware_scan_info
      message metadata observables raw_data raw_data_hash raw_data_size remediation resources
      risk_details risk_level risk_level_id risk_score severity severity_id start_time status
      status_code status_detail status_id time timezone_offset type_name type_uid unmapped
      vendor_attributes vulnerabilities
    `),
  },
  3002: {
    name: 'Authentication',
    category: 3,
    activities: {
      0: 'Unknown',
      99: 'Other',
      1: 'Logon',
      2: 'Logoff',
      3: 'Authentication Ticket',
      4: 'Service Ticket Request',
      5: 'Service Ticket Renew',
      6: 'Preauth',
      7: 'Account Switch',
    },
    required: words(`
      activity_id category_uid class_uid metadata severity_id time type_uid user
    `),
    attributes: words(`
      account_switch_type account_switch_type_id activity_id activity_name actor auth_factors
      auth_protocol auth_protocol_id authentication_token category_name category_uid certificate
      class_name class_uid count dst_endpoint duration end_time enrichments http_request
      http_response is_cleartext is_mfa is_new_logon is_remote logon_process logon_type
      logon_type_id message metadata observables raw_data raw_data_hash raw_data_size service
      session severity severity_id src_endpoint start_time status status_code status_detail
      status_id time timezone_offset type_name type_uid unmapped user
    `),
  },
  3004: {
    name: 'Entity Management',
    category: 3,
    activities: {
      0: 'Unknown',
      99: 'Other',
      1: 'Create',
      2: 'Read',
      3: 'Update',
      4: 'Delete',
      5: 'Move',
      6: 'Enroll',
      7: 'Unenroll',
      8: 'Enable',
      9: 'Disable',
      10: 'Activate',
      11: 'Deactivate',
      12: 'Suspend',
      13: 'Resume',
    },
    required: words(`
      activity_id category_uid class_uid entity metadata severity_id time type_uid
    `),
    attributes: words(`
      access_list access_mask activity_id activity_name actor category_name category_uid class_name
      class_uid comment count duration end_time enrichments entity entity_result http_request
      http_response message metadata observables raw_data raw_data_hash raw_data_size severity
      severity_id src_endpoint start_time status status_code status_detail status_id time
      timezone_offset type_name type_uid unmapped
    `),
  },
  6003: {
    name: 'API Activity',
    category: 6,
    activities: { 0: 'Unknown', 99: 'Other', 1: 'Create', 2: 'Read', 3: 'Update', 4: 'Delete' },
    required: words(`
      activity_id actor api category_uid class_uid metadata severity_id src_endpoint time type_uid
    `),
    attributes: words(`
      activity_id activity_name actor api category_name category_uid class_name class_uid count
      dst_endpoint duration end_time enrichments http_request http_response message metadata
      observables raw_data raw_data_hash raw_data_size resources severity severity_id src_endpoint
      start_time status status_code status_detail status_id time timezone_offset trace type_name
      type_uid unmapped
    `),
  },
  6008: {
    name: 'Application Error',
    category: 6,
    activities: { 0: 'Unknown', 99: 'Other', 1: 'General Error', 2: 'Translation Error' },
    required: words(`
      activity_id category_uid class_uid metadata severity_id time type_uid
    `),
    attributes: words(`
      activity_id activity_name category_name category_uid class_name class_uid count duration
      end_time enrichments message metadata observables raw_data raw_data_hash raw_data_size
      severity severity_id start_time status status_code status_detail status_id time
      timezone_offset type_name type_uid unmapped
    `),
  },
}

interface ObjectSchema {
  readonly required: readonly string[]
  /** One of these, if there are any. */
  readonly atLeastOne: readonly string[]
  readonly attributes: readonly string[]
}

export const OBJECTS: Readonly<Record<string, ObjectSchema>> = {
  metadata: {
    required: ['product', 'version'],
    atLeastOne: words(``),
    attributes: words(`
      correlation_uid data_classification data_classifications debug event_code extension extensions
      is_truncated labels log_format log_level log_name log_provider log_source log_version
      logged_time loggers modified_time original_event_uid original_time processed_time product
      profiles reporter sequence source tags tenant_uid total_queued_duration
      transformation_info_list transmit_time type uid untruncated_size version
    `),
  },
  product: {
    required: [],
    atLeastOne: words(`name uid`),
    attributes: words(`
      cpe_name data_classification data_classifications feature lang name path uid url_string
      vendor_name version
    `),
  },
  user: {
    required: [],
    atLeastOne: words(`account name uid`),
    attributes: words(`
      account credential_uid display_name domain email_addr forward_addr full_name groups has_mfa
      ldap_person name org phone_number programmatic_credentials risk_level risk_level_id risk_score
      type type_id uid uid_alt
    `),
  },
  actor: {
    required: [],
    atLeastOne: words(`process user invoked_by session app_name app_uid`),
    attributes: words(`
      app_name app_uid authorizations idp invoked_by process session user
    `),
  },
  network_endpoint: {
    required: [],
    atLeastOne: words(`ip uid name hostname svc_name instance_uid interface_uid interface_name domain`),
    attributes: words(`
      agent_list autonomous_system container domain fingerprints hostname hw_info instance_uid
      interface_name interface_uid intermediate_ips ip isp isp_org location mac mac_vendor name
      namespace_pid network_scope network_scope_id os owner pool port proxy_endpoint subnet_uid
      svc_name type type_id uid vlan_uid vpc_uid zone
    `),
  },
  http_request: {
    required: [],
    atLeastOne: words(``),
    attributes: words(`
      args body_length http_headers http_method length referrer uid url user_agent version
      x_forwarded_for
    `),
  },
  http_response: {
    required: ['code'],
    atLeastOne: words(``),
    attributes: words(`
      body_length code content_type http_headers latency length message status
    `),
  },
  api: {
    required: ['operation'],
    atLeastOne: words(``),
    attributes: words(`
      group operation request response service token version
    `),
  },
  response: {
    required: [],
    atLeastOne: words(``),
    attributes: words(`
      code containers data error error_message flags message
    `),
  },
  token: {
    required: [],
    atLeastOne: words(``),
    attributes: words(`
      created_time expiration_time is_renewable modified_time name tenant_uid type type_id uid zone
    `),
  },
  authentication_token: {
    required: [],
    atLeastOne: words(``),
    attributes: words(`
      created_time encryption_details expiration_time is_renewable kerberos_flags modified_time name
      tenant_uid type type_id uid zone
    `),
  },
  managed_entity: {
    required: [],
    atLeastOne: words(`name uid device group org policy user`),
    attributes: words(`
      data device email group location name org policy type type_id uid user version
    `),
  },
  finding_info: {
    required: ['uid'],
    atLeastOne: words(``),
    attributes: words(`
      analytic attack_graph attacks created_time data_sources desc first_seen_time kill_chain
      last_seen_time modified_time product product_uid related_analytics related_events
      related_events_count src_url tags title traits types uid uid_alt
    `),
  },
  analytic: {
    required: ['type_id'],
    atLeastOne: words(`name uid`),
    attributes: words(`
      algorithm category desc name related_analytics state state_id type type_id uid version
    `),
  },
  attack: {
    required: [],
    atLeastOne: words(`tactic technique sub_technique`),
    attributes: words(`
      mitigation sub_technique tactic tactics technique version
    `),
  },
  technique: {
    required: [],
    atLeastOne: words(`name uid`),
    attributes: words(`
      name src_url uid
    `),
  },
  sub_technique: {
    required: [],
    atLeastOne: words(`name uid`),
    attributes: words(`
      name src_url uid
    `),
  },
  remediation: {
    required: ['desc'],
    atLeastOne: words(``),
    attributes: words(`
      cis_controls desc kb_article_list kb_articles references
    `),
  },
  evidences: {
    required: [],
    atLeastOne: words(
      `actor api connection_info data database databucket device dst_endpoint email file process query resources src_endpoint url user job script`,
    ),
    attributes: words(`
      actor api connection_info container data database databucket device dst_endpoint email file
      http_request http_response ja4_fingerprint_list job name process query resources script
      src_endpoint tls uid url user verdict verdict_id
    `),
  },
  service: {
    required: [],
    atLeastOne: words(`name uid`),
    attributes: words(`
      labels name tags uid version
    `),
  },
  trace: {
    required: ['uid'],
    atLeastOne: words(``),
    attributes: words(`
      duration end_time flags service span start_time uid
    `),
  },
  resource_details: {
    required: [],
    atLeastOne: words(`name uid`),
    attributes: words(`
      agent_list cloud_partition created_time criticality data data_classification
      data_classifications group hostname ip is_backed_up labels modified_time name namespace owner
      provider region resource_relationship role role_id tags type uid uid_alt version zone
    `),
  },
}

/** The objects of attributes, for those whose name differs. */
export const OBJECT_OF: Readonly<Record<string, string>> = {
  src_endpoint: 'network_endpoint',
  entity: 'managed_entity',
  attacks: 'attack',
  resources: 'resource_details',
}

/** The values that these attributes may have. */
export const ENUMS: Readonly<Record<string, readonly number[]>> = {
  severity_id: [0, 1, 2, 3, 4, 5, 6, 99],
  confidence_id: [0, 1, 2, 3, 99],
  risk_level_id: [0, 1, 2, 3, 4, 99],
  auth_protocol_id: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99],
}
