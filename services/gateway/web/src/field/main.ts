import { createApp } from 'vue'
import { createRouter, createWebHistory } from 'vue-router'
import '../shared/base.css'
import './field.css'
import { openSession } from '../shared/session'
import { words } from '../shared/words'
import App from './App.vue'
import en from './en.json'
import OneVisit from './OneVisit.vue'
import OutboxPage from './OutboxPage.vue'
import TodayPage from './TodayPage.vue'
import zh from './zh.json'

openSession('field')
const router = createRouter({
  history: createWebHistory('/field'),
  routes: [
    { path: '/', component: TodayPage },
    { path: '/v/:id', component: OneVisit, props: true },
    { path: '/outbox', component: OutboxPage },
    { path: '/:other(.*)', redirect: '/' },
  ],
  scrollBehavior: () => ({ top: 0 }),
})
createApp(App).use(words({ zh, en })).use(router).mount('#app')
if ('serviceWorker' in navigator) void navigator.serviceWorker.register('/field/sw.js', { scope: '/field' })
// Asked once: what waits must not be cleared by a phone that is short of room.
void navigator.storage?.persist?.()
