// What the agent is at, and what it asks.

const OVER = new Set(['finished', 'failed', 'cancelled', 'lost'])
const LABELS = {
  thinking: 'Thinking',
  streaming: 'Writing',
  waiting: 'Waiting for your answer',
  stalled: 'Stalled: no sign of life from the agent',
  lost: 'Lost: the agent is gone, and another may take over',
  finished: 'Done',
  cancelled: 'Stopped',
}

/** The run that lives, else one that was lost, else the latest. */
export function currentRun(runs) {
  return (
    runs.findLast((run) => !OVER.has(run.status)) ??
    runs.findLast((run) => run.status === 'lost' && run === runs.at(-1)) ??
    runs.at(-1)
  )
}

/** Whether there is something to stop. */
export const canStop = (run) =>
  run !== undefined && (!OVER.has(run.status) || run.status === 'lost')

/** Is written only when it changes: it is read aloud. */
export function drawStatus(element, run, waiting) {
  const failed = run?.status === 'failed' ? `Failed: ${run.error?.message ?? ''}` : ''
  const queued =
    waiting === 0 ? '' : waiting === 1 ? ' · 1 message waits' : ` · ${waiting} messages wait`
  const text = (failed || (run === undefined ? 'Ready' : LABELS[run.status])) + queued
  element.dataset.status = run?.status ?? 'ready'
  if (element.textContent !== text) element.textContent = text
}

/** @param answer called with a question's id and `true` or `false` */
export function drawQuestions(list, questions, run, answer) {
  const shown = questions.filter(
    (question) =>
      question.status === 'open' || (question.status === 'answered' && question.run === run?.id),
  )
  const wanted = new Map(shown.map((question) => [question.id, question]))
  for (const item of Array.from(list.children)) {
    if (wanted.get(item.dataset.id)?.status !== item.dataset.status) item.remove()
    else wanted.delete(item.dataset.id)
  }
  for (const question of wanted.values()) list.append(makeQuestion(question, answer))
}

function makeQuestion(question, answer) {
  const item = document.createElement('fieldset')
  item.className = 'question'
  item.dataset.id = question.id
  item.dataset.status = question.status
  const legend = document.createElement('legend')
  legend.textContent = question.prompt
  item.append(legend)
  if (question.status === 'open') item.append(button(item, 'Yes', true), button(item, 'No', false))
  else {
    const line = document.createElement('p')
    line.textContent = `${question.answer === true ? 'Yes' : 'No'}, said ${question.answeredBy}`
    item.append(line)
  }
  return item

  function button(fieldset, label, value) {
    const element = document.createElement('button')
    element.type = 'button'
    element.textContent = label
    element.addEventListener('click', () => {
      fieldset.disabled = true
      // Where another tab was first, its answer arrives instead.
      answer(question.id, value).catch((error) => {
        console.warn(error)
        fieldset.disabled = false
      })
    })
    return element
  }
}
