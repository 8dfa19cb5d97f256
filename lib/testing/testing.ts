export type * from '../ports/store.js'
export type { Attack, AttackName, AttackOptions, Attacks } from './attacks/attacks.js'
export type { AttackedRoute } from './attacks/target.js'
export { type CapturedOutput, captureOutput } from './captured-output.js'
export {
  type ClientRegistryContractOptions,
  type ClientRegistryUnderTest,
  clientRegistryContract,
} from './client-registry-contract.js'
export { type TestClock, testClock } from './clock.js'
export type { ProofTarget, TestDpopKey } from './dpop-key.js'
export { type ExposureOptions, expectNoKeyIn } from './exposed-secrets.js'
export type { TestClient } from './issuance.js'
export { type TestKit, type TestKitOptions, testKit } from './kit.js'
export { type HttpsApp, overHttps, type TestApp } from './over-https.js'
export { type StoreContractOptions, type StoreUnderTest, storeContract } from './store-contract.js'
export { type TestIssuer, type TestIssuerOptions, testIssuer } from './test-issuer.js'
export type { TestKeyOptions } from './token-source.js'

if (process.env['NODE_ENV'] === 'production')
  throw new Error(
    'express-provisioning-keys/testing is for tests, and NODE_ENV is production: import it only in test files',
  )
