/** The engineer's day: as the server last told it, and what she has done since, together. */
import { computed, ref } from 'vue'
import { api, whole, type Schemas } from '../shared/api'
import { Refused } from '../shared/session'
import { all } from './outbox'
import { store, type Day, type Item } from './store'

export type VisitState = 'planned' | 'departed' | 'arrived' | 'working' | 'finished' | 'completed' | 'aborted' | 'cancelled'
export type Visit = Schemas['VisitView'] & { state: VisitState }

const DAY_MS = 86_400_000
/** The day in the zone of the company, in which its visits are counted. */
const dateOf = (at: number): string => new Intl.DateTimeFormat('sv-SE', { timeZone: 'Asia/Shanghai' }).format(at)

const AT_ONCE = 4
const MOST_SUGGESTED = 5

export const day = ref<Day | null>(null)
/** The page and its scripts are kept on the phone: it opens without a network. */
export const shellKept = ref(false)
if ('serviceWorker' in navigator) void navigator.serviceWorker.ready.then(() => (shellKept.value = true))
/** Why the day could not be read anew; what is shown then is what was kept. */
export const stale = ref<unknown>(null)
let user = ''

const AFTER: Partial<Record<Item['what'], VisitState>> = {
  depart: 'departed',
  arrive: 'arrived',
  start: 'working',
  finish: 'finished',
  accept: 'completed',
  refuse: 'working',
  abort: 'aborted',
}

const COLUMN: Partial<Record<Item['what'], 'departed_at' | 'arrived_at' | 'started_at' | 'finished_at' | 'ended_at'>> = {
  depart: 'departed_at',
  arrive: 'arrived_at',
  start: 'started_at',
  finish: 'finished_at',
  accept: 'ended_at',
  abort: 'ended_at',
}

/** A visit after something that she did. */
function after(visit: Visit, item: Item): Visit {
  const next: Visit = { ...visit, state: AFTER[item.what] ?? visit.state }
  const column = COLUMN[item.what]
  if (column) next[column] = item.happenedAt
  if (item.what === 'photo') next.photos = visit.photos + 1
  if (item.what === 'use-part') {
    const { part_id, place_id, quantity } = item.facts as { part_id: string; place_id: string; quantity: number }
    const line = { part_id, place_id, quantity, serials: [], old_returned: 0, lot: '', old_serials: [] }
    next.parts = [...visit.parts, line]
  }
  return next
}

/** Today's visits in the order of their hours, as they are with all that waits. */
export const visits = computed<Visit[]>(() =>
  ((day.value?.visits ?? []) as Visit[])
    .map((visit) => all.value.filter((one) => one.visitId === visit.visit_id && !one.problem).reduce(after, visit))
    .sort((one, other) => one.starts_at.localeCompare(other.starts_at)),
)

/** What she goes to first: what is under way, else the next one. */
export const current = computed(
  () => visits.value.find((one) => ['departed', 'arrived', 'working', 'finished'].includes(one.state)) ?? visits.value.find((one) => one.state === 'planned'),
)

export async function openDay(userId: string): Promise<void> {
  user = userId
  day.value = ((await (await store(user)).get('kept', 'day')) as Day | undefined) ?? null
}

async function keep(next: Day): Promise<void> {
  // What Vue wraps cannot be cloned; and what is shown is what is kept, not what is still being read.
  const plain = JSON.parse(JSON.stringify(next)) as Day
  day.value = plain
  await (await store(user)).put('kept', plain, 'day')
}

/** What the server has taken is so, also before it is asked again. */
export async function whenTaken(item: Item): Promise<void> {
  if (day.value) await keep({ ...day.value, visits: (day.value.visits as Visit[]).map((one) => (one.visit_id === item.visitId ? after(one, item) : one)) })
}

const orNull = (failed: unknown): null => {
  if (failed instanceof Refused && failed.status === 404) return null
  throw failed
}

let reading: Promise<void> | null = null
let wanted = false

/** Read all of the day that she may need without a network. Calls meanwhile are one more reading. */
export function refresh(): Promise<void> {
  wanted = true
  reading ??= (async () => {
    try {
      while (wanted) {
        wanted = false
        await read()
      }
      stale.value = null
    } catch (failed) {
      stale.value = failed
      throw failed
    } finally {
      reading = null
    }
  })()
  return reading
}

async function each<T>(things: readonly T[], what: (thing: T) => Promise<void>): Promise<void> {
  const left = [...things]
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let thing = left.shift(); thing !== undefined; thing = left.shift()) await what(thing)
    }),
  )
}

async function read(): Promise<void> {
  const lists = { params: { query: { limit: 200 } } }
  // Tomorrow's first visits are known the evening before.
  const [today, tomorrow] = await Promise.all([
    api.GET('/v1/visits', lists).then(whole),
    api.GET('/v1/visits', { params: { query: { limit: 200, day: dateOf(Date.now() + DAY_MS) } } }).then(whole),
  ])
  const items = [...new Map([...today.items, ...tomorrow.items].map((one) => [one.visit_id, one])).values()]
  const known = day.value
  const next: Day = {
    savedAt: new Date().toISOString(),
    readyAt: items.every((one) => known?.visits.some((before) => before.visit_id === one.visit_id)) ? known?.readyAt : '',
    visits: items,
    jobs: {},
    reservations: {},
    usual: {},
    van: known?.van ?? [],
    near: {},
    templates: known?.templates ?? [],
    codes: known?.codes ?? null,
    parts: known?.parts ?? [],
  }
  // The visits are shown as soon as they are known; what belongs to them follows.
  for (const name of ['jobs', 'reservations', 'usual', 'near'] as const) Object.assign(next[name], known?.[name])
  await keep({ ...next })
  const open = items.filter((one) => !['cancelled', 'aborted', 'completed'].includes(one.state))
  const [codes, templates, parts] = await Promise.all([
    api.GET('/v1/service-codes', { params: { query: { limit: 1 } } }).then(whole),
    api.GET('/v1/record-templates', lists).then(whole),
    api.GET('/v1/parts', lists).then(whole),
  ])
  const van = open.find((one) => one.van_id)?.van_id
  if (van) next.van = whole(await api.GET('/v1/stock', { params: { query: { place_id: van, limit: 200 } } })).items
  next.codes = codes.items[0] ?? null
  next.templates = templates.items
  next.parts = parts.items
  await each(open, async (visit) => {
    const job = await api.GET('/v1/requests/{request_id}/job', { params: { path: { request_id: visit.request_id } } }).then(whole).catch(orNull)
    if (job) next.jobs[visit.request_id] = job
    const reserved = await api.GET('/v1/reservations/{order_id}', { params: { path: { order_id: visit.order_id } } }).then(whole).catch(orNull)
    if (reserved) next.reservations[visit.order_id] = reserved
    const scope = `${visit.device_model} ${visit.request_type}`
    if (visit.device_model && !next.usual[scope]) {
      const query = { device_model: visit.device_model, request_type: visit.request_type }
      next.usual[scope] = whole(await api.GET('/v1/parts/usual', { params: { query } })).parts
    }
    if (job?.lat_udeg == null || job.lon_udeg == null) return
    for (const part of suggested(next, visit).slice(0, MOST_SUGGESTED)) {
      const query = { part_id: part, lat_udeg: job.lat_udeg, lon_udeg: job.lon_udeg, limit: 50 }
      next.near[`${visit.visit_id} ${part}`] = whole(await api.GET('/v1/stock/near', { params: { query } }))
    }
  })
  // She may have gone on meanwhile: what the server has taken since the visits were read is in none of them yet.
  await keep({ ...next, readyAt: new Date().toISOString(), visits: day.value?.visits ?? next.visits })
}

/** The parts that she likely needs: what is set aside, what is recommended, what such repairs took so far, what is in her van. */
export function suggested(of: Day, visit: Schemas['VisitView']): string[] {
  const reserved = of.reservations[visit.order_id]
  const usual = of.usual[`${visit.device_model} ${visit.request_type}`] ?? []
  const named = [...(reserved?.reserved ?? []), ...(reserved?.recommended ?? []), ...(reserved?.short ?? []), ...usual]
  const fits = of.parts.filter((one) => visit.device_model && one.fits.includes(visit.device_model))
  const carried = of.van.filter((one) => one.place_id === visit.van_id && one.free > 0)
  return [...new Set([...named, ...fits, ...carried].map((one) => one.part_id))]
}
