import { createClient } from '{{client}}'
import { CuttableWebSocket, cutNetwork, cuttableFetch } from './network.js'
import { Prompts } from './prompts.js'
import { canStop, currentRun, drawQuestions, drawStatus } from './run.js'
import { drawMessages, logEvent } from './view.js'

const $ = (id) => document.getElementById(id)
const count = (id) => ($(id).textContent = String(Number($(id).textContent) + 1))

/** Which session and who we are: in the address and in this browser, so that a reload and a second tab come back to both. */
async function join() {
  const body = JSON.stringify({
    session: location.hash.slice(1) || undefined,
    visitor: localStorage.getItem('heldline-demo-visitor') ?? undefined,
  })
  const response = await cuttableFetch('/demo/join', { method: 'POST', body })
  const joined = await response.json()
  localStorage.setItem('heldline-demo-visitor', joined.visitor)
  history.replaceState(null, '', `#${joined.session}`)
  return joined
}

let last = null
let prompts = null
let run

// Before anything is waited for: who writes early is heard as soon as there is a session.
const ready = start()

async function start() {
  const first = await joinAgain()
  const client = createClient({
    url: location.origin,
    token: async () => (await join()).token,
    WebSocket: CuttableWebSocket,
    fetch: cuttableFetch,
  })
  const session = client.session(first.session, { presence: true })
  prompts = new Prompts(session, () => show(session.getSnapshot()))
  client.on('state', showState)
  session.on('change', () => show(session.getSnapshot()))
  session.on('reset', () => count('resets'))
  session.on('error', (error) => console.warn(error))
  session.on('event', showEvent)
  return session
}

function showEvent(event) {
  // The client guarantees it; this page checks it all the same.
  if (last !== null && (event.serial !== last.serial + 1 || event.prev !== last.tag)) count('wrong')
  last = event
  logEvent($('events'), event)
}

function showState(state) {
  $('state').textContent = state
  $('state').dataset.state = state
  if (state === 'live') count('connections')
}

function show({ messages, members, position, runs, inputs, questions }) {
  const chat = $('chat')
  const atEnd = chat.scrollHeight - chat.scrollTop - chat.clientHeight < 80
  drawMessages($('messages'), [...messages, ...(prompts?.messages(messages) ?? [])])
  run = currentRun(runs)
  drawStatus($('run'), run, inputs.length)
  drawQuestions($('questions'), questions, run, answer)
  showActions(canStop(run))
  if (atEnd) chat.scrollTop = chat.scrollHeight
  const here = new Set(members.filter((member) => member.connected).map((member) => member.member))
    .size
  $('people').textContent = here === 1 ? 'one window open' : `${here} windows open`
  $('serial').textContent = position?.split('.')[1] ?? '0'
  // A snapshot moves the position without events: the next one follows from there.
  if (position !== null && last !== null && Number(position.split('.')[1]) > last.serial)
    last = null
}

/** A button that had the focus gives it to the text before it goes. */
function showActions(stoppable) {
  for (const id of ['stop', 'interrupt', 'choice']) {
    if (!stoppable && document.activeElement === $(id)) $('text').focus()
    $(id).hidden = !stoppable
  }
}

async function answer(question, value) {
  await (await ready).answer(question, value)
}

/** `queue`: after what runs now. `interrupt`: ends what runs now. */
function say(mode) {
  const text = $('text').value.trim()
  if (text === '') return
  $('text').value = ''
  void ready.then(() => prompts.add(text, mode))
}

/** The server may be starting again. */
async function joinAgain() {
  for (;;) {
    try {
      return await join()
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }
}

$('composer').addEventListener('submit', (event) => {
  event.preventDefault()
  say('queue')
})
$('text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  $('composer').requestSubmit()
})
$('interrupt').addEventListener('click', () => say('interrupt'))
$('stop').addEventListener('click', () => {
  const stopped = run
  if (stopped === undefined) return
  ready
    .then((session) => session.cancel({ run: stopped.id, reason: 'stopped by a person' }))
    .catch((error) => console.warn(error))
})
for (const example of document.querySelectorAll('.example'))
  example.addEventListener('click', () => {
    $('text').value = example.textContent
    $('text').focus()
    say('queue')
  })
$('cut').addEventListener('change', (event) => cutNetwork(event.target.checked))
$('reload').addEventListener('click', () => location.reload())
$('second').addEventListener('click', () => window.open(location.href, '_blank'))
$('fresh').addEventListener('click', () => {
  location.hash = ''
  location.reload()
})
$('text').focus()
