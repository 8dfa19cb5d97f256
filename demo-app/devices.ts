import { randomUUID } from 'node:crypto'

/** What the demo provisions. */
export interface Device {
  readonly id: string
  readonly name: string
  readonly owner: string
  readonly created_at: string
}

/** Devices in memory; beyond the cap the oldest is forgotten. */
export interface Devices {
  create(owner: string, name: string): Device
  ownedBy(owner: string): readonly Device[]
}

const MAXIMUM = 100

export function devicesInMemory(): Devices {
  const devices: Device[] = []
  return {
    create(owner, name) {
      const device = { id: randomUUID(), name, owner, created_at: new Date().toISOString() }
      devices.push(device)
      if (devices.length > MAXIMUM) devices.shift()
      return device
    },
    ownedBy: (owner) => devices.filter((device) => device.owner === owner),
  }
}

/** 1 to 64 characters, none of them a control character. */
export function isDeviceName(value: unknown): value is string {
  return typeof value === 'string' && /^\P{Cc}{1,64}$/u.test(value)
}
