/**
 * Where the phone is while she is on her way, said to the customer who waits, if she lets it. What cannot be said now is
 * worth nothing later: it is never kept and never sent again.
 */
import { computed, onUnmounted, ref, watch } from 'vue'
import { api } from '../shared/api'
import { visits, type Visit } from './day'
import { waiting } from './outbox'

export const EVERY_MS = 30_000
/** A position that the phone took earlier is not said. */
const FRESH_MS = 15_000
/** A thousandth of a degree, 110 m: what is told is no closer, and leaves the phone no closer. */
const COARSE_UDEG = 1_000

const PLACE = 'fieldloop.field.position'
/** Whether she lets it be seen; empty until she has said. */
export const lets = ref<'' | 'yes' | 'no'>((localStorage.getItem(PLACE) as 'yes' | 'no' | null) ?? '')
/** The browser does not give it. */
export const denied = ref(false)
export const canTell = 'geolocation' in navigator

export function say(now: 'yes' | 'no'): void {
  lets.value = now
  denied.value = false
  localStorage.setItem(PLACE, now)
}

/** Of the next one who takes this phone nothing is known. */
export function forget(): void {
  lets.value = ''
  localStorage.removeItem(PLACE)
}

/** The visit to which she is on her way, as the server knows it too: what waits to be sent is not known there. */
const underWay = computed<Visit | undefined>(() => visits.value.find((one) => one.state === 'departed' && !waiting.value.some((step) => step.visitId === one.visit_id)))
const told = computed(() => (canTell && lets.value === 'yes' ? underWay.value?.visit_id : undefined))

function place(): Promise<GeolocationPosition> {
  return new Promise((found, failed) => navigator.geolocation.getCurrentPosition(found, failed, { maximumAge: FRESH_MS, timeout: EVERY_MS / 2 }))
}

const coarse = (degrees: number): number => Math.round((degrees * 1e6) / COARSE_UDEG) * COARSE_UDEG

async function tell(visit_id: string): Promise<void> {
  try {
    const { coords, timestamp } = await place()
    denied.value = false
    // She may have arrived, or changed her mind, while the phone looked.
    if (told.value !== visit_id || !navigator.onLine || Date.now() - timestamp > FRESH_MS) return
    const body = { lat_udeg: coarse(coords.latitude), lon_udeg: coarse(coords.longitude) }
    await api.POST('/v1/visits/{visit_id}/position', { params: { path: { visit_id } }, body })
  } catch (failed) {
    if (failed instanceof GeolocationPositionError && failed.code === GeolocationPositionError.PERMISSION_DENIED) denied.value = true
  }
}

/** Says it every half minute from leaving to arriving; ends with the component. */
export function useTelling(): void {
  let telling: ReturnType<typeof setInterval> | undefined
  watch(
    told,
    (visitId) => {
      clearInterval(telling)
      if (!visitId) return
      void tell(visitId)
      telling = setInterval(() => void tell(visitId), EVERY_MS)
    },
    { immediate: true },
  )
  onUnmounted(() => clearInterval(telling))
}
