// The switch "Cut the network": a WebSocket and a fetch whose line can be cut as a lost network cuts it, without a word to either side.

let cut = false
const open = new Set()
let requests = new AbortController()

/** What is open goes silent and is reported as lost; nothing new opens until the line is whole again. */
export function cutNetwork(value) {
  cut = value
  // The browser says so when a real network comes back.
  if (!cut) return void dispatchEvent(new Event('online'))
  for (const socket of open) socket.lose()
  requests.abort(new TypeError('network lost'))
  requests = new AbortController()
}

export async function cuttableFetch(url, init = {}) {
  if (cut) throw new TypeError('network lost')
  const signal = init.signal ? AbortSignal.any([init.signal, requests.signal]) : requests.signal
  return fetch(url, { ...init, signal })
}

export class CuttableWebSocket extends EventTarget {
  #socket

  constructor(url, protocols) {
    super()
    open.add(this)
    if (cut) {
      setTimeout(() => this.lose(), 50)
      return
    }
    this.#socket = new WebSocket(url, protocols)
    for (const name of ['open', 'message', 'close', 'error'])
      this.#socket.addEventListener(name, (event) => this.#pass(event))
  }

  get bufferedAmount() {
    return this.#socket?.bufferedAmount ?? 0
  }

  send(text) {
    if (!cut) this.#socket?.send(text)
  }

  close(code) {
    open.delete(this)
    this.#socket?.close(code)
  }

  lose() {
    if (!open.delete(this)) return
    this.#socket?.close()
    this.dispatchEvent(new CloseEvent('close', { code: 1006 }))
  }

  #pass(event) {
    if (!open.has(this)) return
    if (event.type === 'close') open.delete(this)
    this.dispatchEvent(
      event.type === 'message'
        ? new MessageEvent('message', { data: event.data })
        : event.type === 'close'
          ? new CloseEvent('close', { code: event.code, reason: event.reason })
          : new Event(event.type),
    )
  }
}
