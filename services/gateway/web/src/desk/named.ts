/** What engineers, types of request, causes and remedies are called, where a page has their ids: read once for the whole desk. */
import { computed, shallowRef, triggerRef, type ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { api, whole } from '../shared/api'
import { everyPage, MOST } from './reading'

const engineers = shallowRef(new Map<string, string>())
const types = shallowRef(new Map<string, { zh: string; en: string }>())
const codes = shallowRef(new Map<string, { zh: string; en: string }>())
let reading = false

/** Who may not read them sees the ids. */
async function read(): Promise<void> {
  reading = true
  const staff = api.GET('/v1/engineers/names').then((answer) => (engineers.value = new Map(Object.entries(whole(answer)))))
  const kinds = everyPage(
    async (cursor) => whole(await api.GET('/v1/request-types', { params: { query: { limit: MOST, cursor } } })),
    (items) => items.forEach((one) => types.value.set(one.type_id, { zh: one.name_zh || one.name, en: one.name })),
  )
  const lists = api.GET('/v1/service-codes', { params: { query: { limit: 1 } } }).then((answer) => {
    for (const list of whole(answer).items) for (const one of [...list.causes, ...list.remedies]) codes.value.set(one.code, one)
  })
  const told = await Promise.allSettled([staff, kinds, lists])
  reading = told.every((one) => one.status === 'fulfilled')
  triggerRef(engineers)
  triggerRef(types)
  triggerRef(codes)
}

interface Names {
  engineerOf: (id: string) => string
  typeOf: (id: string) => string
  types: ComputedRef<string[]>
  codeOf: (code: string) => string
}

export function useNames(): Names {
  const { locale } = useI18n()
  if (!reading) void read()
  return {
    engineerOf: (id) => engineers.value.get(id) || id,
    codeOf: (code) => codes.value.get(code)?.[locale.value as 'zh' | 'en'] ?? code,
    types: computed(() => [...types.value.keys()]),
    typeOf: (id) => types.value.get(id)?.[locale.value as 'zh' | 'en'] ?? id,
  }
}
