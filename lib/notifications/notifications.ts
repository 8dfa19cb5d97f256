export type { DeadLetter, DeadLetterReason, DeliveryOptions } from './delivery-options.js'
export type { DeliveryStats } from './delivery-queue.js'
export type { Notifier } from './notifier.js'
export {
  type SecurityEventTransmitter,
  securityEventTransmitter,
} from './security-event-transmitter.js'
export type {
  SecurityEventReceiverOptions,
  SecurityEventTransmitterOptions,
} from './security-event-transmitter-options.js'
export { webhook } from './webhook.js'
export type { WebhookOptions } from './webhook-options.js'
