export { type EcsEvent, toEcs } from './ecs.js'
export { type OcsfEvent, toOcsf } from './ocsf.js'
export { type SigmaRule, sigmaRules } from './sigma.js'
