import { createHash } from 'node:crypto'
import { type Deviation, distinct } from './deviations.js'
import { POLICY_RULES } from './policy.js'
import type { PolicyRule } from './rule.js'

/** What a SARIF log says about the run. */
export interface SarifFacts {
  readonly version: string
  /** The file of the configuration, relative to the folder of the repository, with slashes. */
  readonly file: string
  /** The URL of the page that explains the rules. A path is of no use to the readers of a log. */
  readonly help: string | undefined
}

/** The deviations as a SARIF 2.1.0 log, which code scanning reads. */
export function sarifLog(deviations: readonly Deviation[], { version, file, help }: SarifFacts): string {
  const driver = {
    name: 'express-provisioning-keys review',
    semanticVersion: version,
    rules: POLICY_RULES.map((rule) => describeRule(rule, help)),
  }
  const results = distinct(deviations.map((deviation) => describeDeviation(deviation, file)))
  const log = {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver }, columnKind: 'utf16CodeUnits', results }],
  }
  return `${JSON.stringify(log, undefined, 2)}\n`
}

function describeRule({ id, title, why, fix, severity }: PolicyRule, help = '') {
  return {
    id,
    shortDescription: { text: title },
    fullDescription: { text: why },
    help: { text: fix },
    ...(URL.canParse(help) && { helpUri: `${help}#${id}` }),
    defaultConfiguration: { enabled: severity !== 'off', level: severity === 'off' ? 'error' : severity },
  }
}

function describeDeviation({ rule, severity, path, actual, expected, fix, line }: Deviation, file: string) {
  const uri = file.split('/').map(encodeURIComponent).join('/')
  const physicalLocation = { artifactLocation: { uri }, region: { startLine: line ?? 1 } }
  return {
    ruleId: rule,
    ruleIndex: POLICY_RULES.findIndex(({ id }) => id === rule),
    level: severity,
    message: { text: `${path}: expected ${expected}, got ${actual}. ${fix}` },
    locations: [{ physicalLocation, logicalLocations: [{ fullyQualifiedName: path, kind: 'member' }] }],
    // A later run recognizes the same deviation, even if lines have moved.
    partialFingerprints: { 'deviation/v1': digest(`${rule} ${line === undefined ? path : actual}`) },
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
