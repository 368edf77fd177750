/** The pages of the desk, and who has them in the rail. Each is loaded when it is first opened. */
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { session, type Role } from '../shared/session'

export interface InRail {
  name: string
  path: string
  roles: Role[]
}

export const RAIL: InRail[] = [
  { name: 'board', path: '/board', roles: ['dispatcher', 'manager'] },
  { name: 'queue', path: '/queue', roles: ['agent', 'dispatcher', 'manager'] },
  { name: 'caller', path: '/caller', roles: ['agent'] },
  { name: 'rules', path: '/rules', roles: ['dispatcher', 'manager', 'operator'] },
  { name: 'reports', path: '/reports', roles: ['manager', 'auditor', 'operator'] },
  { name: 'alerts', path: '/alerts', roles: ['manager', 'auditor'] },
  { name: 'complaints', path: '/complaints', roles: ['agent', 'manager', 'auditor'] },
  { name: 'payouts', path: '/payouts', roles: ['manager', 'auditor'] },
  { name: 'audit', path: '/audit', roles: ['auditor', 'manager', 'agent'] },
  { name: 'operations', path: '/operations', roles: ['operator', 'auditor'] },
]

/** Where each role begins. */
const FIRST: Partial<Record<Role, string>> = {
  agent: '/queue',
  dispatcher: '/board',
  manager: '/reports',
  auditor: '/audit',
  operator: '/operations',
}

export function railOf(role: Role | undefined): InRail[] {
  return RAIL.filter((one) => role && one.roles.includes(role))
}

const routes: RouteRecordRaw[] = [
  { path: '/', redirect: () => FIRST[session.value?.role ?? 'agent'] ?? '/nowhere' },
  { path: '/board', component: () => import('./board/Board.vue') },
  { path: '/board/:id', component: () => import('./board/Board.vue') },
  { path: '/queue', component: () => import('./queue/Queue.vue') },
  { path: '/caller', component: () => import('./queue/Caller.vue') },
  { path: '/requests/:id', component: () => import('./request/Request.vue'), props: true },
  { path: '/orders/:id', component: () => import('./request/OrderOf.vue'), props: true },
  { path: '/reports', component: () => import('./reports/Reports.vue') },
  { path: '/reports/:name', component: () => import('./reports/Report.vue'), props: true },
  { path: '/reports/:name/behind', component: () => import('./reports/Behind.vue'), props: true },
  { path: '/figures', component: () => import('./reports/Figures.vue') },
  { path: '/rules', component: () => import('./rules/Rules.vue') },
  { path: '/rules/:id', component: () => import('./rules/Draft.vue'), props: true },
  { path: '/payouts', component: () => import('./payouts/Payouts.vue') },
  { path: '/alerts', component: () => import('./follow/Alerts.vue') },
  { path: '/complaints', component: () => import('./follow/Complaints.vue') },
  { path: '/audit', component: () => import('./audit/Audit.vue') },
  { path: '/audit/:id', component: () => import('./audit/Audit.vue') },
  { path: '/operations', component: () => import('./operations/Operations.vue') },
  { path: '/:rest(.*)*', component: () => import('./pages/Nowhere.vue') },
]

export const router = createRouter({ history: createWebHistory('/desk'), routes })
