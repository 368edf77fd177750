/**
 * What the engineer did and the server does not know yet: kept on the phone, sent in order, done once however often it
 * is sent. It survives closing the app; what the server refuses stays, with the reason, until she has read it.
 */
import { computed, ref } from 'vue'
import { api, whole, type Schemas } from '../shared/api'
import { NotSignedIn, Refused, type Problem } from '../shared/session'
import { store, type Item, type StepName } from './store'

export const HOLD_MS = 10_000
const MOST_AT_ONCE = 100
const RETRY_MS = [3_000, 10_000, 30_000, 60_000]

const items = ref<Item[]>([])
export const all = computed(() => items.value)
export const waiting = computed(() => items.value.filter((one) => !one.problem))
export const refused = computed(() => items.value.filter((one) => one.problem))
/** The last thing that she did, as long as it can be taken back. */
export const held = computed(() => items.value.findLast((one) => !one.problem && one.holdUntil > now.value))
export const now = ref(Date.now())
export type Sending = 'idle' | 'sending' | 'offline' | 'signed-out' | 'failed'
export const sending = ref<Sending>('idle')

let user = ''
let whenTaken: (item: Item) => Promise<void> = async () => undefined
const tabs = new BroadcastChannel('fieldloop.field.outbox')
tabs.onmessage = () => void load()

/** `taken` is told of each item that the server has taken, before it leaves the outbox. */
export async function openOutbox(userId: string, taken: (item: Item) => Promise<void>): Promise<void> {
  user = userId
  whenTaken = taken
  await load()
  // What was held when the app was closed is not taken back any more.
  addEventListener('online', () => void send())
  setInterval(() => {
    now.value = Date.now()
    if (waiting.value.some((one) => one.holdUntil <= now.value) && now.value >= nextTry) void send()
  }, 250)
}

async function load(): Promise<void> {
  if (user) items.value = await (await store(user)).getAll('outbox')
}

async function changed(): Promise<void> {
  await load()
  tabs.postMessage('changed')
}

export interface Done {
  visitId: string
  what: StepName | 'photo'
  facts?: Record<string, unknown>
  photo?: Blob
  /** Sent at once: it was asked for twice already, or cannot be taken back. */
  atOnce?: boolean
}

/** Keep what she did. Whatever she did before it cannot be taken back any more: it happened. */
export async function add(done: Done): Promise<void> {
  const db = await store(user)
  const at = Date.now()
  const tx = db.transaction('outbox', 'readwrite')
  for (const one of await tx.store.getAll()) if (one.holdUntil > at) await tx.store.put({ ...one, holdUntil: 0 })
  await tx.store.add({
    id: crypto.randomUUID(),
    visitId: done.visitId,
    what: done.what,
    facts: structuredClone(done.facts ?? {}),
    photo: done.photo,
    happenedAt: new Date(at).toISOString(),
    holdUntil: done.atOnce ? 0 : at + HOLD_MS,
  })
  await tx.done
  await changed()
  nextTry = 0
  void send()
}

/** Take back what is held. False when it was too late. */
export async function undo(item: Item): Promise<boolean> {
  const db = await store(user)
  const tx = db.transaction('outbox', 'readwrite')
  const one = item.seq === undefined ? undefined : await tx.store.get(item.seq)
  const inTime = one !== undefined && one.number === undefined && one.holdUntil > Date.now()
  if (inTime && one.seq !== undefined) await tx.store.delete(one.seq)
  await tx.done
  await changed()
  return inTime
}

/** She is sure: what is held is sent now. */
export async function release(): Promise<void> {
  const tx = (await store(user)).transaction('outbox', 'readwrite')
  for (const one of await tx.store.getAll()) if (one.holdUntil) await tx.store.put({ ...one, holdUntil: 0 })
  await tx.done
  await changed()
  await send()
}

/** She has read why it was refused. */
export async function dismiss(item: Item): Promise<void> {
  if (item.seq !== undefined) await (await store(user)).delete('outbox', item.seq)
  await changed()
}

let nextTry = 0
let failures = 0

/** Send what is due. One tab sends; the others see what became of it. */
export async function send(): Promise<void> {
  await navigator.locks.request('fieldloop.field.outbox', { ifAvailable: true }, async (lock) => {
    if (!lock || !user) return
    try {
      for (;;) {
        const due = await nextDue()
        if (!due.length) break
        sending.value = 'sending'
        const [first] = due
        await (first?.what === 'photo' ? sendPhoto(first) : sendSteps(due))
        failures = 0
        await changed()
      }
      sending.value = 'idle'
    } catch (failed) {
      if (failed instanceof NotSignedIn || (failed instanceof Refused && failed.status === 401)) sending.value = 'signed-out'
      else sending.value = failed instanceof Refused ? 'failed' : 'offline'
      nextTry = Date.now() + (RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 60_000)
      failures += 1
      await changed()
    }
  })
}

/** From the oldest on: one photo, or the steps before the next photo. Nothing overtakes what is held. */
async function nextDue(): Promise<Item[]> {
  const at = Date.now()
  const due: Item[] = []
  for (const one of await (await store(user)).getAll('outbox')) {
    if (one.problem) continue
    if (one.holdUntil > at || (one.what === 'photo' && due.length) || due.length === MOST_AT_ONCE) break
    due.push(one)
    if (one.what === 'photo') break
  }
  return due
}

/** Numbers are given once: before it is sent for the first time, and kept with it. */
async function numbered(due: Item[]): Promise<Item[]> {
  const tx = (await store(user)).transaction(['outbox', 'kept'], 'readwrite')
  const [outbox, kept] = [tx.objectStore('outbox'), tx.objectStore('kept')]
  const given: Item[] = []
  for (const one of due) {
    if (one.number !== undefined) {
      given.push(one)
      continue
    }
    const place = `next ${one.visitId}`
    const next = ((await kept.get(place)) as number | undefined) ?? 1
    await kept.put(next + 1, place)
    const known = { ...one, number: next }
    await outbox.put(known)
    given.push(known)
  }
  await tx.done
  return given
}

/** Where the numbers of a visit begin on this phone: after those that the server has from another one. */
async function counted(due: Item[]): Promise<void> {
  const db = await store(user)
  for (const visitId of new Set(due.map((one) => one.visitId))) {
    if ((await db.get('kept', `next ${visitId}`)) !== undefined) continue
    const steps = await api
      .GET('/v1/visits/{visit_id}/steps', { params: { path: { visit_id: visitId } } })
      .then(whole)
      .catch((failed) => {
        // Not hers any more: the batch says so of each step.
        if (failed instanceof Refused && failed.status === 404) return []
        throw failed
      })
    await db.put('kept', Math.max(0, ...steps.map((one) => one.number)) + 1, `next ${visitId}`)
  }
}

async function sendSteps(due: Item[]): Promise<void> {
  await counted(due)
  const given = await numbered(due)
  const steps = given.map((one) => ({
    visit_id: one.visitId,
    step_id: one.id,
    number: one.number,
    happened_at: one.happenedAt,
    step: one.what,
    ...one.facts,
  }))
  let answer: Schemas['BatchAnswer']
  try {
    const body = { sent_at: new Date().toISOString(), steps } as unknown as Schemas['BatchBody']
    answer = whole(await api.POST('/v1/visits/sync', { body }))
  } catch (failed) {
    if (!(failed instanceof Refused) || failed.status < 400 || failed.status >= 500 || [401, 408, 429].includes(failed.status)) throw failed
    // One that cannot be read must not keep the others back.
    const [only] = given
    if (given.length === 1 && only) return setAside(only, failed.problem, false)
    for (const one of given) await sendSteps([one])
    return
  }
  let behind = false
  for (const [place, one] of given.entries()) {
    const said = answer.steps[place]
    if (said?.outcome === 'taken') await taken(one)
    else if (said?.outcome === 'refused') await refuse(one, said.problem as unknown as Problem, said.kept)
    else behind = true
  }
  // Received and not yet decided: asked again a little later, under the same id and number.
  if (behind) await new Promise((go) => setTimeout(go, 500))
}

async function refuse(one: Item, problem: Problem, kept: boolean): Promise<void> {
  if (problem.code !== 'step.number-taken') return setAside(one, problem, kept)
  // Another phone of hers, or this one before its data were cleared, has counted on.
  const db = await store(user)
  const next = Math.max(Number(problem.facts?.next ?? 1), (one.number ?? 0) + 1)
  const place = `next ${one.visitId}`
  if (next > ((await db.get('kept', place)) as number)) await db.put('kept', next, place)
  const { number: _, ...unnumbered } = one
  await db.put('outbox', unnumbered)
}

async function sendPhoto(one: Item): Promise<void> {
  const ask = (happenedAt?: string): Promise<unknown> =>
    api.POST('/v1/visits/{visit_id}/photos', {
      params: { path: { visit_id: one.visitId }, query: { photo_id: one.id, moment: one.facts.moment as 'before', happened_at: happenedAt } },
      body: one.photo as never,
      bodySerializer: (body) => body,
      headers: { 'Content-Type': one.photo?.type || 'image/jpeg' },
    })
  try {
    try {
      await ask(one.happenedAt)
    } catch (failed) {
      // The phone's clock is wrong: the picture counts from when it is sent.
      if (!(failed instanceof Refused) || !failed.problem.code.startsWith('visit.time-')) throw failed
      await ask()
    }
    await taken(one)
  } catch (failed) {
    if (failed instanceof Refused && failed.status >= 400 && failed.status < 500 && ![401, 408, 429].includes(failed.status)) await setAside(one, failed.problem, false)
    else throw failed
  }
}

async function taken(one: Item): Promise<void> {
  await whenTaken(one)
  if (one.seq !== undefined) await (await store(user)).delete('outbox', one.seq)
}

async function setAside(one: Item, problem: Problem, kept: boolean): Promise<void> {
  await (await store(user)).put('outbox', { ...one, problem, kept })
}

/** All of it as a file, photos included, for who must hand it in by another way. */
export async function exported(): Promise<Blob> {
  const plain = await Promise.all(
    items.value.map(async ({ photo, ...one }) => ({ ...one, photo: photo ? await asText(photo) : undefined })),
  )
  return new Blob([JSON.stringify({ user, exported_at: new Date().toISOString(), items: plain }, null, 1)], { type: 'application/json' })
}

function asText(blob: Blob): Promise<string> {
  return new Promise((done, failed) => {
    const reader = new FileReader()
    reader.onload = () => done(String(reader.result))
    reader.onerror = () => failed(reader.error ?? new Error('unreadable'))
    reader.readAsDataURL(blob)
  })
}
