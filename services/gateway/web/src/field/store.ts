/** What the phone keeps: the day as the server last told it, and what waits to be sent. Of each engineer by herself. */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import type { Schemas } from '../shared/api'
import type { Problem } from '../shared/session'

export type StepName = 'depart' | 'arrive' | 'start' | 'use-part' | 'finish' | 'accept' | 'refuse' | 'abort'

/** Something that she did, in the order in which she did it (`seq`). */
export interface Item {
  seq?: number
  /** Made on the phone; whatever is sent twice under it is done once. */
  id: string
  visitId: string
  what: StepName | 'photo'
  /** Of a step, what it says. */
  facts: Record<string, unknown>
  /** Of a photo. */
  photo?: Blob
  /** By the phone's clock. */
  happenedAt: string
  /** Until then it can be taken back, and is not sent. Milliseconds since 1970. */
  holdUntil: number
  /** Its place among the steps of its visit, given when it is first sent and never changed while it may have arrived. */
  number?: number
  /** Why the server did not take it. It is on record there if `kept`. */
  problem?: Problem
  kept?: boolean
}

export interface Day {
  savedAt: string
  /** When all that belongs to these visits was kept too; empty while some of it is still to be read. */
  readyAt?: string
  visits: Schemas['VisitView'][]
  jobs: Record<string, Schemas['Job']>
  reservations: Record<string, Schemas['ReservationView']>
  usual: Record<string, Schemas['TakenView'][]>
  /** What lies in her van. */
  van: Schemas['StockView'][]
  near: Record<string, Schemas['NearView'][]>
  templates: Schemas['TemplateView'][]
  codes: Schemas['CodesView'] | null
  parts: Schemas['PartView'][]
}

interface Kept extends DBSchema {
  outbox: { key: number; value: Item }
  kept: { key: string; value: unknown }
}

const opened = new Map<string, Promise<IDBPDatabase<Kept>>>()

export function store(userId: string): Promise<IDBPDatabase<Kept>> {
  let db = opened.get(userId)
  if (!db) {
    db = openDB<Kept>(`fieldloop.field.${userId}`, 1, {
      upgrade(made) {
        made.createObjectStore('outbox', { keyPath: 'seq', autoIncrement: true })
        made.createObjectStore('kept')
      },
    })
    opened.set(userId, db)
  }
  return db
}
