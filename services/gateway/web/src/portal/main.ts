import { createApp } from 'vue'
import { createRouter, createWebHistory } from 'vue-router'
import '../shared/base.css'
import { openSession } from '../shared/session'
import { words } from '../shared/words'
import App from './App.vue'
import NewRequest from './NewRequest.vue'
import en from './en.json'
import OneRequest from './OneRequest.vue'
import OwnRequests from './OwnRequests.vue'
import zh from './zh.json'

openSession('portal')
const router = createRouter({
  history: createWebHistory('/portal'),
  routes: [
    { path: '/', component: OwnRequests },
    { path: '/new', component: NewRequest },
    { path: '/r/:id', component: OneRequest, props: true },
    { path: '/:other(.*)', redirect: '/' },
  ],
  scrollBehavior: () => ({ top: 0 }),
})
createApp(App).use(words({ zh, en })).use(router).mount('#app')
