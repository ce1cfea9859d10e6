// Draws messages: each element is kept and only what changed is written, so that a stream of tokens does not rebuild the page.

/** @param {HTMLElement} list @param {readonly any[]} messages */
export function drawMessages(list, messages) {
  const wanted = new Set(messages.map((message) => message.id))
  for (const item of Array.from(list.children)) if (!wanted.has(item.dataset.id)) item.remove()
  for (const [index, message] of messages.entries()) {
    let item = list.children[index]
    if (item?.dataset.id !== message.id) {
      item = list.querySelector(`[data-id="${CSS.escape(message.id)}"]`) ?? newItem(message.id)
      list.insertBefore(item, list.children[index] ?? null)
    }
    if (item.drawn !== message) drawMessage(item, message)
    item.drawn = message
  }
}

function newItem(id) {
  const item = document.createElement('li')
  item.className = 'message'
  item.dataset.id = id
  return item
}

function drawMessage(item, message) {
  item.dataset.role = message.role
  item.dataset.status = message.status
  item.dataset.pending = String(message.pending === true)
  const parts = [...message.parts, ...marksOf(message)]
  for (const [index, part] of parts.entries()) {
    const element = item.children[index]
    if (element !== undefined && element.dataset.kind === kindOf(part)) update(element, part)
    else item.insertBefore(make(part), element ?? null)
  }
  while (item.children.length > parts.length) item.lastChild.remove()
}

/** In words, not by colour alone. */
function marksOf({ status }) {
  if (status === 'interrupted') return [{ type: 'mark', text: 'Stopped here.' }]
  return status === 'failed' ? [{ type: 'mark', text: 'Failed here.' }] : []
}

const KINDS = new Set(['reasoning', 'tool', 'mark'])
const kindOf = (part) => (KINDS.has(part.type) ? part.type : 'text')

function make(part) {
  const kind = kindOf(part)
  const element = document.createElement(kind === 'reasoning' ? 'details' : 'div')
  element.dataset.kind = kind
  element.className = kind
  if (kind === 'reasoning') {
    const summary = document.createElement('summary')
    summary.textContent = 'Reasoning'
    element.append(summary, document.createElement('div'))
    element.open = true
  }
  if (kind === 'tool')
    element.append(document.createElement('strong'), document.createElement('pre'))
  update(element, part)
  return element
}

function update(element, part) {
  if (element.dataset.kind === 'tool') {
    element.dataset.state = part.state ?? 'done'
    element.children[0].textContent = part.name
    const lines = [`in  ${JSON.stringify(part.input)}`]
    if (part.output !== undefined) lines.push(`out ${JSON.stringify(part.output)}`)
    element.children[1].textContent = lines.join('\n')
    return
  }
  const target = element.dataset.kind === 'reasoning' ? element.children[1] : element
  const text = part.text ?? ''
  // Text only grows while it streams: what is new is appended.
  const old = target.textContent
  if (text.startsWith(old) && target.firstChild !== null)
    target.firstChild.appendData(text.slice(old.length))
  else target.textContent = text
}

/** @param {HTMLElement} list @param {any} event */
export function logEvent(list, event) {
  const item = document.createElement('li')
  const piece = event.data?.text ?? event.data?.add?.state ?? ''
  item.textContent = `${event.serial} ${event.type} ${JSON.stringify(piece).slice(0, 40)}`
  list.prepend(item)
  while (list.children.length > 60) list.lastChild.remove()
}
